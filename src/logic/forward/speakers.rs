//! Who speaks now, by the audio levels that publishers put on their packets (RFC 6464).

use std::time::{Duration, Instant};

use crate::ids::MemberId;

/// How often the list is made anew.
const TICK: Duration = Duration::from_millis(200);
/// Loudness is decibels above the quietest level that RFC 6464 can say.
const SILENCE: u8 = 127;
/// Smoothed loudness from which a member is heard as speaking: -50 dBov.
const SPEAKING_FROM: f32 = 77.0;
/// Smoothed loudness below which a speaker has stopped: -60 dBov.
const SILENT_BELOW: f32 = 67.0;
/// A speaker passes another one in the list by being this much louder, in decibels.
const LEAD: f32 = 6.0;
/// Share of the way to a louder level that one tick goes: two ticks from silence to speech.
const ATTACK: f32 = 0.6;
/// Share of the way to a quieter level that one tick goes: pauses between words do not count.
const RELEASE: f32 = 0.15;
/// Members measured at once. When full, newcomers are not measured until someone leaves.
const MEMBERS_MAX: usize = 1024;
/// Length of the list. When full, the quietest are left out.
const SPEAKERS_MAX: usize = 16;

/// Measures the members of one room and says who speaks, loudest first.
#[derive(Debug, Default)]
pub struct Speakers {
    /// By member.
    meters: Vec<Meter>,
    speakers: Vec<MemberId>,
    next_tick: Option<Instant>,
}

#[derive(Debug)]
struct Meter {
    member: MemberId,
    /// Sum of the loudness of the packets of this tick, and how many.
    sum: u32,
    packets: u32,
    loudness: f32,
    speaking: bool,
}

impl Speakers {
    /// Nobody speaks.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet of `member` with its audio level in -dBov: 0 is the loudest, 127 is silence. The
    /// voice-activity bit of the extension is not part of it.
    pub fn handle(&mut self, now: Instant, member: MemberId, level: u8) {
        if let Some(meter) = self.meter(member) {
            meter.sum += u32::from(SILENCE - level.min(SILENCE));
            meter.packets += 1;
        }
        self.next_tick.get_or_insert(now + TICK);
    }

    /// The member left the room. A list without them follows at the next tick.
    pub fn remove(&mut self, member: MemberId) {
        self.meters.retain(|meter| meter.member != member);
    }

    /// Who speaks, loudest first.
    pub fn speakers(&self) -> &[MemberId] {
        &self.speakers
    }

    /// Measures the past tick, if it is over. Returns who speaks, loudest first, if that changed.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<&[MemberId]> {
        if self.next_tick.is_none_or(|tick| now < tick) {
            return None;
        }
        self.meters.iter_mut().for_each(Meter::tick);
        let speakers = self.ranking();
        let asleep = speakers.is_empty() && self.meters.iter().all(Meter::is_silent);
        self.next_tick = Some(now + TICK).filter(|_| !asleep);
        if speakers == self.speakers {
            return None;
        }
        self.speakers = speakers;
        Some(&self.speakers)
    }

    /// When the next tick is over; never while the room is silent.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.next_tick.map(|tick| (tick, "active speakers"))
    }

    fn meter(&mut self, member: MemberId) -> Option<&mut Meter> {
        let index = match self.find(member) {
            Ok(index) => index,
            Err(_) if self.meters.len() >= MEMBERS_MAX => return None,
            Err(index) => {
                self.meters.insert(index, Meter::new(member));
                index
            }
        };
        self.meters.get_mut(index)
    }

    fn find(&self, member: MemberId) -> Result<usize, usize> {
        self.meters
            .binary_search_by_key(&member, |meter| meter.member)
    }

    /// The order of before, into which newcomers are put by loudness, and where only a clear lead passes.
    fn ranking(&self) -> Vec<MemberId> {
        let loudness = |member: MemberId| -> Option<f32> {
            let meter = self.meters.get(self.find(member).ok()?)?;
            Some(meter.loudness).filter(|_| meter.speaking)
        };
        let stayed = self.speakers.iter().copied();
        let came = self.meters.iter().map(|meter| meter.member);
        let came = came.filter(|member| !self.speakers.contains(member));
        let mut ranking: Vec<(MemberId, f32)> = Vec::with_capacity(self.speakers.len() + 1);
        for member in stayed.chain(came) {
            let Some(own) = loudness(member) else {
                continue;
            };
            let place = ranking.iter().rposition(|&(_, other)| own < other + LEAD);
            ranking.insert(place.map_or(0, |place| place + 1), (member, own));
        }
        ranking.truncate(SPEAKERS_MAX);
        ranking.into_iter().map(|(member, _)| member).collect()
    }
}

impl Meter {
    fn new(member: MemberId) -> Self {
        Self {
            member,
            sum: 0,
            packets: 0,
            loudness: 0.0,
            speaking: false,
        }
    }

    /// A tick without packets is silence: the microphone is muted, or the codec sends nothing in pauses.
    fn tick(&mut self) {
        let heard = self.sum as f32 / self.packets.max(1) as f32;
        let share = if heard > self.loudness {
            ATTACK
        } else {
            RELEASE
        };
        self.loudness += (heard - self.loudness) * share;
        self.speaking = match self.speaking {
            true => self.loudness >= SILENT_BELOW,
            false => self.loudness >= SPEAKING_FROM,
        };
        (self.sum, self.packets) = (0, 0);
    }

    fn is_silent(&self) -> bool {
        self.loudness < 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: MemberId = MemberId(1);
    const BEN: MemberId = MemberId(2);
    const CAT: MemberId = MemberId(3);

    /// Runs `milliseconds` of a room where members speak at constant levels, 20 ms a packet. Returns the lists
    /// that were told.
    fn run(
        speakers: &mut Speakers,
        now: &mut Instant,
        milliseconds: u64,
        levels: &[(MemberId, u8)],
    ) -> Vec<Vec<MemberId>> {
        let mut told = Vec::new();
        for _ in 0..milliseconds / 20 {
            *now += Duration::from_millis(20);
            for &(member, level) in levels {
                speakers.handle(*now, member, level);
            }
            told.extend(speakers.handle_timeout(*now).map(<[MemberId]>::to_vec));
        }
        told
    }

    #[test]
    fn who_speaks_is_told_once_and_who_stops_after_a_while() {
        let (mut speakers, mut now) = (Speakers::new(), Instant::now());
        let told = run(&mut speakers, &mut now, 3000, &[(ANN, 30), (BEN, 100)]);
        assert_eq!(told, [vec![ANN]]);
        let told = run(&mut speakers, &mut now, 400, &[(ANN, 127)]);
        assert!(told.is_empty(), "a pause between words");
        let told = run(&mut speakers, &mut now, 3000, &[(ANN, 127)]);
        assert_eq!(told, [vec![]]);
    }

    #[test]
    fn a_muted_speaker_stops_and_a_silent_room_sleeps() {
        let (mut speakers, mut now) = (Speakers::new(), Instant::now());
        assert_eq!(speakers.poll_timeout(), None);
        run(&mut speakers, &mut now, 1000, &[(ANN, 20)]);
        assert_eq!(speakers.speakers(), [ANN]);
        let told = run(&mut speakers, &mut now, 20_000, &[]);
        assert_eq!(told, [vec![]]);
        assert_eq!(speakers.poll_timeout(), None);
        let told = run(&mut speakers, &mut now, 1000, &[(BEN, 20)]);
        assert_eq!(told, [vec![BEN]]);
    }

    #[test]
    fn the_louder_leads_but_only_a_clear_lead_changes_the_order() {
        let (mut speakers, mut now) = (Speakers::new(), Instant::now());
        run(
            &mut speakers,
            &mut now,
            2000,
            &[(ANN, 40), (BEN, 20), (CAT, 30)],
        );
        assert_eq!(speakers.speakers(), [BEN, CAT, ANN]);
        let told = run(
            &mut speakers,
            &mut now,
            4000,
            &[(ANN, 37), (BEN, 23), (CAT, 20)],
        );
        assert!(told.is_empty(), "{told:?}");
        run(
            &mut speakers,
            &mut now,
            4000,
            &[(ANN, 10), (BEN, 23), (CAT, 20)],
        );
        assert_eq!(speakers.speakers(), [ANN, BEN, CAT]);
    }

    #[test]
    fn who_left_is_taken_off_the_list() {
        let (mut speakers, mut now) = (Speakers::new(), Instant::now());
        run(&mut speakers, &mut now, 1000, &[(ANN, 20), (BEN, 20)]);
        speakers.remove(ANN);
        let told = run(&mut speakers, &mut now, 400, &[(BEN, 20)]);
        assert_eq!(told, [vec![BEN]]);
    }

    #[test]
    fn a_short_click_is_not_speech() {
        let (mut speakers, mut now) = (Speakers::new(), Instant::now());
        run(&mut speakers, &mut now, 1000, &[(ANN, 127)]);
        let told = run(&mut speakers, &mut now, 40, &[(ANN, 20)]);
        assert!(told.is_empty());
        assert!(run(&mut speakers, &mut now, 1000, &[(ANN, 127)]).is_empty());
    }

    #[test]
    fn the_list_and_the_members_are_bounded() {
        let (mut speakers, mut now) = (Speakers::new(), Instant::now());
        let everyone: Vec<(MemberId, u8)> = (0..2000).map(|id| (MemberId(id), 20)).collect();
        run(&mut speakers, &mut now, 600, &everyone);
        assert_eq!(speakers.speakers().len(), SPEAKERS_MAX);
        assert_eq!(speakers.meters.len(), MEMBERS_MAX);
    }
}
