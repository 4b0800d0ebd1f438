//! What people do in a room, drawn from a seed.

use std::time::Duration;

use motet::protocol::client::Source;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::browser::{Part, Stack};
use crate::invariants::SETTLED;
use crate::light::Profile;
use crate::network::Link;
use crate::node::GRACE;

/// One thing that somebody does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Comes in, over a network of their own.
    Join { part: Part, up: Link, down: Link },
    /// Says goodbye.
    Leave,
    /// The tab is closed: the WebSocket ends, and nothing comes any more.
    Vanish,
    /// The cable is pulled: nothing comes any more, and nobody says so.
    Unplug,
    /// The WebSocket is lost, and media is not; another is opened after `away`. If the node does not
    /// notice, that comes as a surprise to it.
    Lose { away: Duration, noticed: bool },
    /// Falls silent or comes back.
    Mute { source: Source, muted: bool },
    /// Wants to see these browsers only, by number, in this order.
    View { wanted: Vec<u32> },
}

/// A room's life.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    /// The node never lets clients talk to each other directly.
    pub sfu: bool,
    /// When, who, what; in order of time.
    pub acts: Vec<(Duration, u32, Act)>,
    /// When everything has happened and everything must have settled.
    pub ends: Duration,
    /// Whether somebody wants to read what happened.
    pub told: bool,
}

/// Acts happen until then.
const BUSY: Duration = Duration::from_secs(9);
/// The calm at the end; what the node finds out by itself takes longer.
const CALM: Duration = Duration::from_secs(6);
const CALM_AFTER_UNPLUG: Duration = Duration::from_secs(53);

impl Scenario {
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let sfu = rng.random_bool(0.6);
        let people = rng.random_range(2..=6);
        let clean = rng.random_bool(0.3);
        let mut acts = vec![];
        for who in 0..people {
            let at = Duration::from_millis(rng.random_range(0..4_000));
            acts.push((at, who, join(&mut rng, people, clean)));
            let mut muted = false;
            for _ in 0..rng.random_range(0..4) {
                let later = at + (BUSY - at).mul_f64(rng.random());
                acts.push((later, who, anything(&mut rng, who, people, &mut muted)));
            }
        }
        if rng.random_bool(0.3) {
            // Everything plays by now, and goes on.
            let at = BUSY + SETTLED + Duration::from_millis(rng.random_range(0..2_000));
            acts.push((at, rng.random_range(0..people), lose(&mut rng)));
        }
        acts.sort_by_key(|(at, ..)| *at);
        let acts = believable(acts);
        let back = |(at, _, act): &(Duration, u32, Act)| match act {
            Act::Lose { away, .. } => *at + *away + CALM,
            _ => *at,
        };
        let settled = acts.iter().map(back).max().unwrap_or_default();
        let unplugs = acts.iter().any(|(.., act)| matches!(act, Act::Unplug));
        let calm = if unplugs { CALM_AFTER_UNPLUG } else { CALM };
        Self {
            seed,
            sfu,
            acts,
            ends: settled.max(BUSY + calm),
            told: false,
        }
    }
}

fn join(rng: &mut StdRng, people: u32, clean: bool) -> Act {
    let part = Part {
        sfu_only: rng.random_bool(0.1),
        sends: rng.random_bool(0.8),
        layers: *[1, 1, 2, 3].choose(rng).unwrap(),
        seats: rng.random_range(1..=people as usize),
        stack: match rng.random_range(0..6) {
            0 if clean => Stack::Light(Profile::Gcm),
            1 if clean => Stack::Light(Profile::Sha1),
            _ => Stack::Rtc,
        },
    };
    let mut link = || {
        if clean {
            Link::PERFECT
        } else {
            Link::random(rng)
        }
    };
    let (mut up, down) = (link(), link());
    if part.layers > 1 {
        // The clients' stack repeats packets of simulcast layers without saying of which layer.
        up.loss = 0.0;
    }
    Act::Join { part, up, down }
}

fn anything(rng: &mut StdRng, who: u32, people: u32, muted: &mut bool) -> Act {
    // Who is unplugged is found out after 30 s, so such a room lives three times as long.
    match rng.random_range(0..70) {
        60.. => lose(rng),
        0..3 => Act::Leave,
        3..6 => Act::Vanish,
        6 => Act::Unplug,
        7..28 => {
            *muted = !*muted;
            let source = *[Source::Microphone, Source::Camera].choose(rng).unwrap();
            let muted = *muted;
            Act::Mute { source, muted }
        }
        _ => {
            let mut wanted: Vec<u32> = (0..people).filter(|&other| other != who).collect();
            wanted.retain(|_| rng.random_bool(0.7));
            Act::View { wanted }
        }
    }
}

/// Mostly back in time, sometimes not.
fn lose(rng: &mut StdRng) -> Act {
    let milliseconds = match rng.random_bool(0.8) {
        true => rng.random_range(50..6_000),
        false => rng.random_range(9_000..12_000),
    };
    let away = Duration::from_millis(milliseconds);
    let noticed = away > GRACE || rng.random_bool(0.7);
    Act::Lose { away, noticed }
}

/// Nobody does anything after they are gone, or before they have come.
fn believable(acts: Vec<(Duration, u32, Act)>) -> Vec<(Duration, u32, Act)> {
    let mut present = std::collections::BTreeSet::new();
    acts.into_iter()
        .filter(|(_, who, act)| match act {
            Act::Join { .. } => present.insert(*who),
            Act::Leave | Act::Vanish | Act::Unplug => present.remove(who),
            _ => present.contains(who),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_tell_different_stories_and_the_same_story_twice() {
        let story = |seed| format!("{:?}", Scenario::new(seed).acts);
        assert_eq!(story(1), story(1));
        assert_ne!(story(1), story(2));
        let all: Vec<Scenario> = (0..300).map(Scenario::new).collect();
        let any = |wanted: fn(&Act) -> bool| {
            all.iter()
                .flat_map(|story| &story.acts)
                .any(|(.., act)| wanted(act))
        };
        assert!(any(
            |act| matches!(act, Act::Lose { away, .. } if *away > GRACE)
        ));
        assert!(any(|act| matches!(act, Act::Lose { noticed: false, .. })));
        assert!(
            any(|act| matches!(act, Act::Unplug)) && any(|act| matches!(act, Act::View { .. }))
        );
        assert!(all.iter().any(|story| story.sfu) && all.iter().any(|story| !story.sfu));
    }
}
