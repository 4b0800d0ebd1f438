//! What the owner holds muted of a member.
//!
//! A source is but a name that its member gives to an m-line. So that nobody is heard again under
//! another one, what is published anew beside something that is held is held along with it, and let
//! go with it.

use std::collections::BTreeSet;

use crate::protocol::client::Source;

use super::members::Publication;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Holds {
    held: BTreeSet<Source>,
    /// Of them, those that the owner did not name.
    along: BTreeSet<Source>,
}

impl Holds {
    pub(super) fn contains(&self, source: Source) -> bool {
        self.held.contains(&source)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Source> + '_ {
        self.held.iter().copied()
    }

    /// The owner holds it. False if it was held already.
    pub(super) fn hold(&mut self, source: Source) -> bool {
        self.along.remove(&source);
        self.held.insert(source)
    }

    /// The owner lets it go, and with it what was held because of it. False if it was not held.
    pub(super) fn let_go(&mut self, source: Source) -> bool {
        self.along.remove(&source);
        let was_held = self.held.remove(&source);
        let other = other_name(source);
        if self.along.remove(&other) {
            self.held.remove(&other);
        }
        was_held
    }

    /// A source is published, in the place of another publication of it if there was one. True if it
    /// is held from now on, because it could be what is held under its other name.
    pub(super) fn follow(
        &mut self,
        source: Source,
        old: Option<&Publication>,
        new: &Publication,
    ) -> bool {
        let line = |publication: &Publication| publication.mid.clone();
        let goes_on = old.is_some_and(|old| {
            let (old, new) = (line(old), line(new));
            old.is_none() || new.is_none() || old == new
        });
        if goes_on || !self.contains(other_name(source)) || !self.held.insert(source) {
            return false;
        }
        self.along.insert(source)
    }
}

/// As what else the same microphone or camera could be published.
fn other_name(source: Source) -> Source {
    match source {
        Source::Microphone => Source::ScreenAudio,
        Source::ScreenAudio => Source::Microphone,
        Source::Camera => Source::Screen,
        Source::Screen => Source::Camera,
    }
}
