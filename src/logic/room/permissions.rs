//! Who may say what: one table of role, message and state.

use crate::protocol::client::ClientMessage;
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::Role;

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has not joined.
    Outside,
    /// It waits to be let in; owners never do.
    Waiting,
    /// It is in the room.
    Inside(Role),
}

/// That may not be said there and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed {
    /// For programs.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: &'static str,
}

/// To whom a message is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Those outside, to come in.
    Newcomers,
    /// Everyone.
    All,
    /// Everyone but those outside.
    Connected,
    /// Those in the room.
    Members,
    /// The room's owners.
    Owners,
}

/// Whether a client that stands there may say that at all; the message's own conditions come after.
///
/// # Errors
/// `notJoined`, `alreadyJoined` or `forbidden`.
pub fn check(message: &ClientMessage, standing: Standing) -> Result<(), NotAllowed> {
    let is_open = match (open_to(message), standing) {
        (Open::All, _)
        | (Open::Newcomers, Standing::Outside)
        | (Open::Connected, Standing::Waiting | Standing::Inside(_))
        | (Open::Members, Standing::Inside(_))
        | (Open::Owners, Standing::Inside(Role::Owner)) => true,
        (Open::Newcomers, _) => return Err(NotAllowed::new(ErrorCode::AlreadyJoined)),
        (Open::Owners, Standing::Inside(Role::Guest)) => {
            return Err(NotAllowed::new(ErrorCode::Forbidden));
        }
        (_, Standing::Outside | Standing::Waiting) => false,
    };
    let not_joined = || NotAllowed::new(ErrorCode::NotJoined);
    is_open.then_some(()).ok_or_else(not_joined)
}

fn open_to(message: &ClientMessage) -> Open {
    match message {
        ClientMessage::Join { .. } | ClientMessage::Resume { .. } => Open::Newcomers,
        ClientMessage::Bye {} => Open::All,
        ClientMessage::Ping { .. } => Open::Connected,
        ClientMessage::Signal { .. }
        | ClientMessage::Offer { .. }
        | ClientMessage::Publish { .. }
        | ClientMessage::Mute { .. }
        | ClientMessage::Unpublish { .. }
        | ClientMessage::View { .. }
        | ClientMessage::Ready { .. }
        | ClientMessage::Pair { .. }
        | ClientMessage::Unreachable { .. }
        | ClientMessage::Strain { .. }
        | ClientMessage::Hand { .. }
        | ClientMessage::React { .. }
        | ClientMessage::Chat { .. } => Open::Members,
        ClientMessage::Silence { .. }
        | ClientMessage::LowerHand { .. }
        | ClientMessage::Remove { .. }
        | ClientMessage::Lock { .. }
        | ClientMessage::Lobby { .. }
        | ClientMessage::Admit { .. }
        | ClientMessage::Deny { .. }
        | ClientMessage::Record { .. }
        | ClientMessage::End {} => Open::Owners,
    }
}

impl NotAllowed {
    fn new(code: ErrorCode) -> NotAllowed {
        let message = match code {
            ErrorCode::AlreadyJoined => "A connection joins one room, once.",
            ErrorCode::Forbidden => "Only the room's owner may do that.",
            _ => "That can be said in a room only: `join` first.",
        };
        NotAllowed { code, message }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::protocol::client::ClientFrame;

    /// What the table says of a cell.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Cell {
        Yes,
        NotJoined,
        AlreadyJoined,
        Forbidden,
    }
    use Cell::*;

    /// A message without a row does not compile; a row without a sample fails.
    macro_rules! table {
        ($($kind:ident $sample:literal : $outside:ident $waiting:ident $guest:ident $owner:ident;)*) => {
            const SAMPLES: &[(&str, &str)] = &[$((stringify!($kind), $sample)),*];

            fn row(message: &ClientMessage) -> (&'static str, [Cell; 4]) {
                match message {
                    $(ClientMessage::$kind { .. } =>
                        (stringify!($kind), [$outside, $waiting, $guest, $owner]),)*
                }
            }
        };
    }

    #[rustfmt::skip]
    table! {
        //                                                              outside    waiting        guest          owner
        Join        r#""room":"r","name":"n""#:                         Yes        AlreadyJoined  AlreadyJoined  AlreadyJoined;
        Resume      r#""room":"r","token":"t","after":0"#:              Yes        AlreadyJoined  AlreadyJoined  AlreadyJoined;
        Signal      r#""to":"M","epoch":0,"candidate":{"candidate":""}"#: NotJoined  NotJoined    Yes            Yes;
        Offer       r#""sdp":"","epoch":0"#:                            NotJoined  NotJoined      Yes            Yes;
        Publish     r#""source":"camera""#:                             NotJoined  NotJoined      Yes            Yes;
        Mute        r#""source":"camera","muted":true"#:                NotJoined  NotJoined      Yes            Yes;
        Unpublish   r#""source":"camera""#:                             NotJoined  NotJoined      Yes            Yes;
        View        r#""wants":[]"#:                                    NotJoined  NotJoined      Yes            Yes;
        Ready       r#""epoch":0"#:                                     NotJoined  NotJoined      Yes            Yes;
        Pair        r#""member":"M","epoch":0,"state":"failed""#:       NotJoined  NotJoined      Yes            Yes;
        Unreachable r#""cause":"ice""#:                                 NotJoined  NotJoined      Yes            Yes;
        Strain      r#""cause":"cpu""#:                                 NotJoined  NotJoined      Yes            Yes;
        Hand        r#""raised":true"#:                                 NotJoined  NotJoined      Yes            Yes;
        React       r#""reaction":"heart""#:                            NotJoined  NotJoined      Yes            Yes;
        Silence     r#""member":"M","source":"camera","silenced":true"#: NotJoined  NotJoined     Forbidden      Yes;
        LowerHand   r#""member":"M""#:                                  NotJoined  NotJoined      Forbidden      Yes;
        Remove      r#""member":"M""#:                                  NotJoined  NotJoined      Forbidden      Yes;
        Lock        r#""locked":true"#:                                 NotJoined  NotJoined      Forbidden      Yes;
        Lobby       r#""enabled":true"#:                                NotJoined  NotJoined      Forbidden      Yes;
        Admit       r#""member":"M""#:                                  NotJoined  NotJoined      Forbidden      Yes;
        Deny        r#""member":"M""#:                                  NotJoined  NotJoined      Forbidden      Yes;
        Record      r#""active":true"#:                                 NotJoined  NotJoined      Forbidden      Yes;
        End         "":                                                 NotJoined  NotJoined      Forbidden      Yes;
        Chat        r#""text":"t""#:                                    NotJoined  NotJoined      Yes            Yes;
        Ping        "":                                                 NotJoined  Yes            Yes            Yes;
        Bye         "":                                                 Yes        Yes            Yes            Yes;
    }

    fn message(kind: &str, fields: &str) -> ClientMessage {
        let word = kind[..1].to_lowercase() + &kind[1..];
        let comma = if fields.is_empty() { "" } else { "," };
        let text = format!(r#"{{"type":"{word}"{comma}{fields}}}"#);
        let text = text.replace(r#""M""#, r#""0000000000001""#);
        ClientFrame::parse(&text).expect(&text).message
    }

    #[test]
    fn every_cell_of_role_message_and_state() {
        let standings = [
            Standing::Outside,
            Standing::Waiting,
            Standing::Inside(Role::Guest),
            Standing::Inside(Role::Owner),
        ];
        for (kind, fields) in SAMPLES {
            let message = message(kind, fields);
            let (named, cells) = row(&message);
            assert_eq!(named, *kind, "the sample of another row");
            for (standing, expected) in standings.into_iter().zip(cells) {
                let said = match check(&message, standing).map_err(|refused| refused.code) {
                    Ok(()) => Yes,
                    Err(ErrorCode::NotJoined) => NotJoined,
                    Err(ErrorCode::AlreadyJoined) => AlreadyJoined,
                    Err(ErrorCode::Forbidden) => Forbidden,
                    Err(other) => panic!("{kind} {standing:?}: {other:?}"),
                };
                assert_eq!(said, expected, "{kind} {standing:?}");
            }
        }
    }
}
