//! Frames of a room's tracks, for the program around the node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, WeakSender};

use crate::ids::{MemberId, TapId};
use crate::io::server;
use crate::logic::record::manifest::Layout;
use crate::logic::record::thinning::Backlog;
use crate::logic::room::RecordingScope;
use crate::media::recording::Word;
use crate::media::shard::{Question, ShardCommand};

/// Bytes of a tap that may wait to be read: more than three seconds at 20 Mb/s. When there are more,
/// pictures are left out first and come back with a key frame, then sound; [`Word::Absent`] says so. Who
/// reads nothing at all until even these words are too many loses the tap.
pub const TAP_BYTES_MAX: usize = 8 << 20;
/// What a word weighs beside its data, in bytes.
const WORD_BYTES: usize = 128;

/// What of a room is listened to. The default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TapScope {
    /// Sound alone.
    pub audio_only: bool,
    /// These members alone; nobody named: everyone.
    pub members: BTreeSet<MemberId>,
}

/// Why a room cannot be listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// There is no room of that name.
    #[error("there is no such room")]
    NoRoom,
    /// By the settings media never travels over the node.
    #[error("media never travels over this node")]
    Mesh,
    /// The room has as many taps as may be.
    #[error("the room has as many taps as may be")]
    TooMany,
    /// The node stops or is broken.
    #[error("the node does not answer")]
    Gone,
}

/// Frames of a room's tracks, as they come. Dropped, it is taken off the room.
///
/// What waits to be read is bounded by [`TAP_BYTES_MAX`]; the node never waits for it to be.
#[derive(Debug)]
pub struct Tap {
    id: TapId,
    words: UnboundedReceiver<Word>,
    queued: Backlog,
    shard: WeakSender<ShardCommand>,
}

impl Tap {
    /// What the tap says next: [`Word::Begin`] first, then of each track [`Word::Track`], its frames,
    /// and its end; nothing after [`Word::End`], or once it is lost. Safe in a `select!`.
    pub async fn next(&mut self) -> Option<Word> {
        let word = self.words.recv().await?;
        self.queued.take(weight(&word));
        Some(word)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(shard) = self.shard.upgrade() {
            // If its mailbox is full, the next frame finds that nobody listens.
            let _ = shard.try_send(ShardCommand::Untap { tap: self.id });
        }
    }
}

/// The other ends of all taps. Never waits.
#[derive(Debug, Default)]
pub(in crate::io) struct TapSenders {
    // Shards' threads touch it, once per frame of a tapped room and never for long.
    senders: Mutex<BTreeMap<TapId, TapSender>>,
}

#[derive(Debug)]
struct TapSender {
    words: UnboundedSender<Word>,
    queued: Backlog,
    shard: WeakSender<ShardCommand>,
}

impl TapSenders {
    /// Passes a word of a tap on.
    pub(in crate::io) fn send(&self, tap: TapId, word: Word) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let is_last = matches!(word, Word::End { .. });
        let is_lost = senders.get(&tap).is_some_and(|one| !one.send(word));
        if is_lost && let Some(shard) = senders.get(&tap).and_then(|one| one.shard.upgrade()) {
            // If its mailbox is full, the next frame comes here again.
            let _ = shard.try_send(ShardCommand::Untap { tap });
        }
        if is_last {
            senders.remove(&tap);
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.clear();
    }

    fn insert(&self, tap: TapId, sender: TapSender) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.insert(tap, sender);
    }

    fn remove(&self, tap: TapId) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.remove(&tap);
    }
}

impl TapSender {
    /// `false` if nobody reads it any more.
    fn send(&self, word: Word) -> bool {
        if self.queued.bytes() > 2 * TAP_BYTES_MAX {
            return false;
        }
        self.queued.add(weight(&word));
        self.words.send(word).is_ok()
    }
}

/// Puts a tap on a room.
pub(super) async fn tap(node: &server::Node, room: &str, scope: TapScope) -> Result<Tap, TapError> {
    let embedder = node.rim.embedder.get().ok_or(TapError::Gone)?;
    let shard = node.rim.lobby().find(room).ok_or(TapError::NoRoom)?;
    let shard = node.shard(shard);
    let id = node.rim.new_tap();
    let (words, queue) = mpsc::unbounded_channel();
    let queued = Backlog::new(TAP_BYTES_MAX);
    let sender = TapSender {
        words,
        queued: queued.clone(),
        shard: shard.weak(),
    };
    embedder.taps.insert(id, sender);
    // From here on it is taken off again, whatever becomes of the question.
    let tap = Tap {
        id,
        words: queue,
        queued: queued.clone(),
        shard: shard.weak(),
    };
    let question = Question::Tap {
        name: room.to_owned(),
        tap: id,
        backlog: queued,
        scope: RecordingScope {
            audio_only: scope.audio_only,
            members: scope.members,
            layout: Layout::default(),
        },
    };
    let answer = shard.ask(question).await.map_err(|_| TapError::Gone);
    let refusal = match answer {
        Ok(answer) if answer == true => return Ok(tap),
        Ok(answer) => match answer["refused"].as_str() {
            Some("mesh") => TapError::Mesh,
            Some(_) => TapError::TooMany,
            None => TapError::NoRoom,
        },
        Err(error) => error,
    };
    embedder.taps.remove(id);
    Err(refusal)
}

fn weight(word: &Word) -> usize {
    match word {
        Word::Frame { frame, .. } => WORD_BYTES + frame.data.len(),
        _ => WORD_BYTES,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::logic::forward::codec::Codec;
    use crate::media::recording::TrackFrame;

    const TAP: TapId = TapId(7);

    struct Bench {
        senders: TapSenders,
        tap: Tap,
        commands: mpsc::Receiver<ShardCommand>,
        // A weak sender alone would not keep the mailbox.
        _shard: mpsc::Sender<ShardCommand>,
    }

    impl Bench {
        fn new() -> Self {
            let (shard, commands) = mpsc::channel(1);
            let (words, queue) = mpsc::unbounded_channel();
            let queued = Backlog::new(TAP_BYTES_MAX);
            let senders = TapSenders::default();
            let sender = TapSender {
                words,
                queued: queued.clone(),
                shard: shard.downgrade(),
            };
            senders.insert(TAP, sender);
            let tap = Tap {
                id: TAP,
                words: queue,
                queued,
                shard: shard.downgrade(),
            };
            Self {
                senders,
                tap,
                commands,
                _shard: shard,
            }
        }

        fn frame(&self, codec: Codec, key: bool, bytes: usize) {
            let frame = TrackFrame {
                at_ms: 0,
                key,
                codec,
                data: vec![0; bytes],
                format: None,
            };
            let track = u32::from(codec == Codec::Vp8);
            let word = Word::Frame { track, frame };
            self.senders.send(TAP, word);
        }

        fn read(&mut self) -> Vec<Word> {
            let words = std::iter::from_fn(|| self.tap.words.try_recv().ok());
            let words: Vec<_> = words.collect();
            words
                .iter()
                .for_each(|word| self.tap.queued.take(weight(word)));
            words
        }
    }

    #[test]
    fn a_tap_that_nobody_reads_any_more_is_taken_off() {
        let mut bench = Bench::new();
        for _ in 0..=2 * TAP_BYTES_MAX / WORD_BYTES + 1 {
            let members = Vec::new();
            bench
                .senders
                .send(TAP, Word::Speakers { at_ms: 0, members });
        }
        let command = bench.commands.try_recv().unwrap();
        assert!(matches!(command, ShardCommand::Untap { tap: TAP }));
        assert!(bench.tap.queued.bytes() <= 2 * TAP_BYTES_MAX + WORD_BYTES);
    }

    #[test]
    fn the_last_word_ends_it() {
        let mut bench = Bench::new();
        let why = crate::protocol::server::RecordingEnd::Stopped;
        bench.senders.send(TAP, Word::End { at_ms: 5, why });
        bench.frame(Codec::Opus, true, 1);
        assert_eq!(bench.read(), [Word::End { at_ms: 5, why }]);
        assert!(bench.tap.words.is_closed() || bench.tap.words.try_recv().is_err());
        let Bench {
            tap,
            mut commands,
            _shard,
            ..
        } = bench;
        drop(tap);
        assert!(matches!(
            commands.try_recv().unwrap(),
            ShardCommand::Untap { tap: TAP }
        ));
    }
}
