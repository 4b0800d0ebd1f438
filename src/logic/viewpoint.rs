//! Whom somebody sees who cannot say so: a viewer with one seat and no words of their own.

use crate::ids::MemberId;
use crate::protocol::client::{Feed, Source, Want};
use crate::protocol::server::{Member, MemberKind, ServerMessage};

/// Follows what a member is told, and works out what they want to see.
#[derive(Debug)]
pub struct Viewpoint {
    choice: Choice,
    /// The member of [`Choice::Member`], where it is an id.
    chosen: Option<MemberId>,
    wants_max: usize,
    /// Those who may send something, in the order of their coming.
    members: Vec<Known>,
    speaker: Option<MemberId>,
    /// As told last; nothing before the first time.
    wants: Option<Vec<Want>>,
}

/// What matters of a member.
#[derive(Debug)]
struct Known {
    id: MemberId,
    name: String,
    kind: MemberKind,
    has_camera: bool,
    has_screen: bool,
    /// Pictures that are not black for now.
    camera_shows: bool,
    screen_shows: bool,
}

impl Known {
    fn has(&self, feed: Feed) -> bool {
        match feed {
            Feed::Camera => self.has_camera,
            Feed::Screen => self.has_screen,
        }
    }

    /// The source of a feed's picture, if it is sent and not black for now.
    fn picture(&self, feed: Feed) -> Option<Source> {
        match feed {
            Feed::Camera => self.camera_shows.then_some(Source::Camera),
            Feed::Screen => self.screen_shows.then_some(Source::Screen),
        }
    }
}

/// Whom to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The member of that id or name, and nobody else.
    Member(String),
    /// Whoever speaks; the last who did while nobody does; before, whoever shares, then who has a picture, in
    /// the order of their coming, and an encoder that seems to have been started again after all others.
    Speaker,
}

impl Viewpoint {
    /// Of somebody who has just joined; they can want at most `wants_max` feeds.
    pub fn new(choice: Choice, wants_max: usize) -> Viewpoint {
        let chosen = match &choice {
            Choice::Member(chosen) => chosen.parse().ok(),
            Choice::Speaker => None,
        };
        Viewpoint {
            choice,
            chosen,
            wants_max,
            members: Vec::new(),
            speaker: None,
            wants: None,
        }
    }

    /// Takes in what the member was told. Returns what they want from now on, if that is different.
    pub fn hear(&mut self, message: &ServerMessage) -> Option<Vec<Want>> {
        match message {
            ServerMessage::Joined { members, .. } => {
                self.members.clear();
                members.iter().for_each(|member| self.see(member));
            }
            ServerMessage::Member { member } if member.kind == MemberKind::Whep => return None,
            ServerMessage::Member { member } => self.see(member),
            ServerMessage::Left { member, .. } => {
                let left = self.members.iter().position(|other| other.id == *member)?;
                self.members.remove(left);
            }
            ServerMessage::Speakers { members } => {
                self.speaker = members.first().copied().or(self.speaker);
            }
            _ => return None,
        }
        let wants = Some(self.choose()).filter(|wants| self.wants.as_ref() != Some(wants))?;
        self.wants = Some(wants.clone());
        Some(wants)
    }

    /// Who would sit, the first on the first seat, for somebody who comes now and finds these; and the source
    /// of their picture, if it is sent and not black for now.
    pub fn at_first(choice: Choice, members: &[Member]) -> Vec<(MemberId, Option<Source>)> {
        let mut viewpoint = Viewpoint::new(choice, usize::MAX);
        members.iter().for_each(|member| viewpoint.see(member));
        viewpoint.wants = Some(viewpoint.choose());
        let sitters = viewpoint.sitters();
        sitters
            .map(|(member, feed)| (member.id, member.picture(feed)))
            .collect()
    }

    /// Whether the first of those whom they see sends a picture now.
    pub fn shows_picture(&self) -> bool {
        let first = self.sitters().next();
        first.is_some_and(|(member, feed)| member.picture(feed).is_some())
    }

    /// What is wanted and there to be seen or heard.
    fn sitters(&self) -> impl Iterator<Item = (&Known, Feed)> {
        self.wants.iter().flatten().filter_map(|want| {
            let mut members = self.members.iter();
            let member = members.find(|member| member.id == want.member)?;
            member.has(want.feed).then_some((member, want.feed))
        })
    }

    /// Viewers like this one send nothing, and there may be many of them.
    fn see(&mut self, member: &Member) {
        if member.kind == MemberKind::Whep {
            return;
        }
        let [has_camera, has_screen] = [Feed::Camera, Feed::Screen].map(|feed| {
            let mut published = member.published.iter();
            published.any(|published| sources(feed).contains(&published.source))
        });
        let [camera_shows, screen_shows] = [Source::Camera, Source::Screen].map(|source| {
            let mut published = member.published.iter();
            published.any(|published| published.source == source && !published.muted)
        });
        let seen = Known {
            id: member.id,
            name: member.name.clone(),
            kind: member.kind,
            has_camera,
            has_screen,
            camera_shows,
            screen_shows,
        };
        let known = self.members.iter_mut().find(|other| other.id == member.id);
        match known {
            Some(known) => *known = seen,
            None => self.members.push(seen),
        }
    }

    fn choose(&self) -> Vec<Want> {
        let sitters: Vec<(MemberId, Feed)> = match &self.choice {
            Choice::Member(chosen) => self.of_chosen(chosen),
            Choice::Speaker => self.speaker_first(),
        };
        let want = |(member, feed)| Want {
            member,
            feed,
            max_height: u16::MAX,
        };
        sitters.into_iter().take(self.wants_max).map(want).collect()
    }

    /// By id before by name. Of several of one name the last who came by WHIP, as an encoder that failed
    /// and was started again is there twice until the consent of the first expires; else the first.
    fn of_chosen(&self, chosen: &str) -> Vec<(MemberId, Feed)> {
        let by_id = |member: &&Known| Some(member.id) == self.chosen;
        let by_name = |member: &&Known| member.name == chosen && sends(member);
        let by_whip = |member: &&Known| member.kind == MemberKind::Whip && by_name(member);
        let members = || self.members.iter();
        let found = members().find(by_id);
        let found = found.or_else(|| members().rfind(by_whip));
        let found = found.or_else(|| members().find(by_name));
        let feeds = |member: &Known| [(member.id, Feed::Camera), (member.id, Feed::Screen)];
        found.map(feeds).into_iter().flatten().collect()
    }

    fn speaker_first(&self) -> Vec<(MemberId, Feed)> {
        let of = |feed| {
            let has = move |member: &&Known| member.has(feed);
            let those = self.members.iter().filter(has);
            those.map(move |member| (member.id, feed))
        };
        let is_speaker = |sitter: &(MemberId, Feed)| Some(sitter.0) == self.speaker;
        let speaker = of(Feed::Camera).filter(is_speaker);
        let others = of(Feed::Camera).filter(|sitter| !is_speaker(sitter));
        let (stale, mut fresh): (Vec<_>, Vec<_>) =
            others.partition(|sitter| self.is_stale(sitter.0));
        fresh.sort_by_key(|sitter| !self.has_picture(*sitter));
        let screens = of(Feed::Screen);
        speaker.chain(screens).chain(fresh).chain(stale).collect()
    }

    fn has_picture(&self, (member, feed): (MemberId, Feed)) -> bool {
        let mut members = self.members.iter();
        let member = members.find(|other| other.id == member);
        member.is_some_and(|member| member.picture(feed).is_some())
    }

    /// Whether somebody by WHIP has a namesake there who came later: more likely than not they are gone.
    fn is_stale(&self, member: MemberId) -> bool {
        let by_whip = |member: &&Known| member.kind == MemberKind::Whip;
        let mut members = self.members.iter().filter(by_whip);
        let known = members.find(|other| other.id == member);
        known.is_some_and(|known| members.any(|later| later.name == known.name && sends(later)))
    }
}

fn sends(member: &Known) -> bool {
    member.has_camera || member.has_screen
}

fn sources(feed: Feed) -> [Source; 2] {
    match feed {
        Feed::Camera => [Source::Camera, Source::Microphone],
        Feed::Screen => [Source::Screen, Source::ScreenAudio],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::reason::Reason;
    use crate::protocol::server::{Presence, Published, Reach, Role};

    fn member(id: u64, name: &str, published: &[Source]) -> ServerMessage {
        let published = published.iter().map(|&source| Published {
            source,
            stream: None,
            muted: false,
        });
        let member = Member {
            id: MemberId(id),
            name: name.into(),
            kind: MemberKind::Client,
            role: Role::Guest,
            sfu_only: false,
            published: published.collect(),
            silenced: vec![],
            forwarded: vec![],
            hand_ms: None,
            presence: Presence::Here,
            node: Reach::Up,
        };
        ServerMessage::Member { member }
    }

    fn speakers(ids: &[u64]) -> ServerMessage {
        let members = ids.iter().map(|&id| MemberId(id)).collect();
        ServerMessage::Speakers { members }
    }

    fn left(id: u64) -> ServerMessage {
        ServerMessage::Left {
            member: MemberId(id),
            reason: Reason::Left,
        }
    }

    /// What is wanted after each of these: `None` for no news.
    fn wanted(choice: Choice, told: &[ServerMessage]) -> Vec<Option<Vec<(u64, Feed)>>> {
        let mut viewpoint = Viewpoint::new(choice, 3);
        let sitters = |wants: Vec<Want>| {
            let wants = wants.into_iter();
            wants.map(|want| (want.member.0, want.feed)).collect()
        };
        told.iter()
            .map(|message| viewpoint.hear(message).map(sitters))
            .collect()
    }

    #[test]
    fn the_speaker_comes_first_and_stays_while_nobody_speaks() {
        use Feed::{Camera, Screen};
        let told = [
            member(1, "Ada", &[Source::Camera]),
            member(2, "Ben", &[Source::Microphone]),
            speakers(&[2, 1]),
            speakers(&[]),
            member(1, "Ada", &[Source::Camera, Source::Screen]),
            member(3, "Cy", &[]),
            left(2),
        ];
        assert_eq!(
            wanted(Choice::Speaker, &told),
            [
                Some(vec![(1, Camera)]),
                Some(vec![(1, Camera), (2, Camera)]),
                Some(vec![(2, Camera), (1, Camera)]),
                None,
                Some(vec![(2, Camera), (1, Screen), (1, Camera)]),
                None,
                Some(vec![(1, Screen), (1, Camera)]),
            ]
        );
    }

    #[test]
    fn who_is_chosen_is_found_by_id_or_by_name_and_again_when_they_come_back() {
        use Feed::{Camera, Screen};
        let id = MemberId(2).to_string();
        let told = [
            member(1, "Ben", &[]),
            member(2, "Ben", &[Source::Camera]),
            speakers(&[1]),
            left(2),
            member(3, "Ben", &[Source::Camera]),
        ];
        let second = Some(vec![(2, Camera), (2, Screen)]);
        let third = Some(vec![(3, Camera), (3, Screen)]);
        let none = Some(vec![]);
        assert_eq!(
            wanted(Choice::Member("Ben".into()), &told),
            [none.clone(), second.clone(), None, none.clone(), third]
        );
        assert_eq!(
            wanted(Choice::Member(id), &told),
            [none.clone(), second, None, none, None]
        );
    }

    #[test]
    fn an_encoder_that_was_started_again_is_seen_at_once() {
        use Feed::{Camera, Screen};
        let of_kind = |id, kind, published: &[Source]| match member(id, "Studio", published) {
            ServerMessage::Member { member } => ServerMessage::Member {
                member: Member { kind, ..member },
            },
            other => other,
        };
        let told = [
            of_kind(1, MemberKind::Client, &[Source::Camera]),
            of_kind(2, MemberKind::Whip, &[Source::Camera]),
            of_kind(3, MemberKind::Whip, &[]),
            of_kind(3, MemberKind::Whip, &[Source::Camera]),
            of_kind(4, MemberKind::Client, &[Source::Camera]),
            left(2),
        ];
        let of = |id| Some(vec![(id, Camera), (id, Screen)]);
        assert_eq!(
            wanted(Choice::Member("Studio".into()), &told),
            [of(1), of(2), None, of(3), None, None]
        );
        let cameras = |ids: &[u64]| Some(ids.iter().map(|&id| (id, Camera)).collect());
        assert_eq!(
            wanted(Choice::Speaker, &told),
            [
                cameras(&[1]),
                cameras(&[1, 2]),
                None,
                cameras(&[1, 3, 2]),
                cameras(&[1, 3, 4]),
                None
            ]
        );
    }

    #[test]
    fn other_viewers_are_neither_kept_nor_weighed() {
        let mut viewpoint = Viewpoint::new(Choice::Member("Ada".into()), 3);
        assert!(viewpoint.hear(&member(1, "Ada", &[])).is_some());
        for id in 2..400 {
            if let ServerMessage::Member { member } = member(id, "Ada", &[]) {
                let kind = MemberKind::Whep;
                let member = Member { kind, ..member };
                assert_eq!(viewpoint.hear(&ServerMessage::Member { member }), None);
            }
            assert_eq!(viewpoint.hear(&left(id)), None);
        }
        assert_eq!(viewpoint.members.len(), 1);
    }

    #[test]
    fn before_anybody_speaks_who_has_a_picture_is_seen() {
        use Feed::Camera;
        let told = [
            member(1, "Radio", &[Source::Microphone]),
            member(2, "Ada", &[Source::Camera]),
            speakers(&[1]),
        ];
        let seen = wanted(Choice::Speaker, &told);
        let both = |first, second| Some(vec![(first, Camera), (second, Camera)]);
        assert_eq!(seen, [Some(vec![(1, Camera)]), both(2, 1), both(1, 2)]);

        let mut viewpoint = Viewpoint::new(Choice::Speaker, 3);
        let shown = told.map(|message| {
            viewpoint.hear(&message);
            viewpoint.shows_picture()
        });
        assert_eq!(shown, [false, true, false]);
    }

    #[test]
    fn what_can_be_wanted_is_bounded() {
        let told: Vec<_> = (1..9)
            .map(|id| member(id, "n", &[Source::Camera]))
            .collect();
        let all = wanted(Choice::Speaker, &told);
        assert_eq!(all.iter().flatten().map(Vec::len).max(), Some(3));
    }
}
