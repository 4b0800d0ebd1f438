//! ICE-lite (RFC 8445 §2.5): answers checks, never sends any.

mod credentials;

use std::time::{Duration, Instant};

use motet_turn::stun::{self, Message, Writer};

use crate::ids::Path;
use crate::media::egress::SendArena;
pub use credentials::Credentials;

/// Without a valid check for this long there is no consent to send (RFC 7675 §5.1).
pub const CONSENT: Duration = Duration::from_secs(30);
/// Validated paths of one peer at a time; Safari has two or three. When full, the one that was
/// checked longest ago is given up, never the selected one.
pub const PATHS_MAX: usize = 16;

/// What an ICE check may carry that must be understood.
const KNOWN_ATTRIBUTES: [u16; 5] = [
    stun::USERNAME,
    stun::MESSAGE_INTEGRITY,
    stun::MESSAGE_INTEGRITY_SHA256,
    stun::PRIORITY,
    stun::USE_CANDIDATE,
];

/// The username fragment of ours that a Binding request is for: the part of USERNAME before the
/// colon (RFC 8445 §7.2.2). Nothing is verified yet.
pub fn local_ufrag(message: &[u8]) -> Option<&str> {
    let message = Message::parse(message).ok()?;
    if message.kind() != stun::BINDING_REQUEST {
        return None;
    }
    Some(username(&message)?.0)
}

/// USERNAME, split into our fragment and theirs.
fn username<'a>(message: &Message<'a>) -> Option<(&'a str, &'a str)> {
    std::str::from_utf8(message.attribute(stun::USERNAME)?)
        .ok()?
        .split_once(':')
}

/// What a valid check changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// The path was not in the validated set before.
    pub new_path: bool,
    /// The path to send by is another than before.
    pub selected: bool,
    /// A restart is complete: the old credentials are gone.
    pub restarted: bool,
    /// This path left the validated set to make room.
    pub evicted: Option<Path>,
}

/// Why a message was no valid check. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Not a well-formed Binding request; dropped.
    #[error("not a binding request")]
    NotABindingRequest,
    /// No FINGERPRINT that fits; dropped.
    #[error("the fingerprint does not fit")]
    Fingerprint,
    /// USERNAME is not one of ours with the other side's; dropped.
    #[error("the username is not known")]
    Username,
    /// No MESSAGE-INTEGRITY made with our password; dropped.
    #[error("the integrity does not fit")]
    Integrity,
    /// An attribute must be understood and is not; answered with 420.
    #[error("an attribute is not understood")]
    UnknownAttribute,
    /// The other side believes that we control, which a lite agent never does; answered with 487,
    /// so that it takes the role (RFC 8445 §7.3.1.1).
    #[error("the other side does not control")]
    RoleConflict,
}

/// Whether the other side still consents to be sent to (RFC 7675).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Yes.
    Given,
    /// No valid check for [`CONSENT`].
    Expired,
}

/// The lite side of one ICE session.
#[derive(Debug)]
pub struct IceLite {
    current: Generation,
    /// Of a restart, until a path is nominated with it.
    next: Option<Generation>,
    /// Every path with a valid check, in the order of the first.
    paths: Vec<Validated>,
    nominated: Option<Path>,
    last_check: Instant,
}

#[derive(Debug)]
struct Generation {
    local: Credentials,
    remote: Credentials,
}

#[derive(Debug, Clone, Copy)]
struct Validated {
    path: Path,
    last_check: Instant,
}

impl IceLite {
    /// Waits for checks, for as long as consent lasts.
    pub fn new(now: Instant, local: Credentials, remote: Credentials) -> Self {
        IceLite {
            current: Generation { local, remote },
            next: None,
            paths: Vec::new(),
            nominated: None,
            last_check: now,
        }
    }

    /// Takes a STUN message that came over `path`; the answer, if there is one, goes to `out`.
    ///
    /// # Errors
    ///
    /// [`CheckError`] if it is no valid check; FINGERPRINT, USERNAME and MESSAGE-INTEGRITY are
    /// verified before anything is answered or changed.
    pub fn handle(
        &mut self,
        now: Instant,
        path: Path,
        message: &[u8],
        out: &mut SendArena,
    ) -> Result<Checked, CheckError> {
        let request = Message::parse(message).map_err(|_| CheckError::NotABindingRequest)?;
        let (generation, is_next) = self.authenticate(&request)?;
        let key = generation.local.password.as_bytes();
        let unknown = request.unknown_required(&KNOWN_ATTRIBUTES);
        if !unknown.is_empty() {
            answer(&request, key, path, out, stun::BINDING_ERROR, |answer| {
                answer.error(420);
                answer.unknown_attributes(&unknown);
            });
            return Err(CheckError::UnknownAttribute);
        }
        if request.attribute(stun::ICE_CONTROLLED).is_some() {
            answer(&request, key, path, out, stun::BINDING_ERROR, |answer| {
                answer.error(487);
            });
            return Err(CheckError::RoleConflict);
        }
        answer(&request, key, path, out, stun::BINDING_SUCCESS, |answer| {
            answer.xor_mapped_address(path.remote);
        });
        let nominates = request.attribute(stun::USE_CANDIDATE).is_some();
        Ok(self.accept(now, path, nominates, is_next))
    }

    /// New credentials beside the old ones, until a check with the new ones nominates a path
    /// (RFC 8445 §9). A restart that was under way is given up for this one.
    pub fn restart(&mut self, local: Credentials, remote: Credentials) {
        self.next = Some(Generation { local, remote });
    }

    /// Our username fragments whose checks must come here: one, and during a restart two.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        let generations = std::iter::once(&self.current).chain(&self.next);
        generations.map(|generation| generation.local.ufrag.as_str())
    }

    /// A valid check came over this path within the last [`CONSENT`].
    pub fn is_validated(&self, path: &Path) -> bool {
        self.paths.iter().any(|validated| validated.path == *path)
    }

    /// The validated paths, in the order of their first check.
    pub fn paths(&self) -> impl Iterator<Item = Path> {
        self.paths.iter().map(|validated| validated.path)
    }

    /// The path to send by: the one nominated last, or the first that was validated.
    pub fn selected(&self) -> Option<Path> {
        self.nominated
            .or_else(|| self.paths.first().map(|validated| validated.path))
    }

    /// Drops paths without a check for [`CONSENT`] into `removed`.
    pub fn handle_timeout(&mut self, now: Instant, removed: &mut Vec<Path>) -> Consent {
        self.paths.retain(|validated| {
            let fresh = now < validated.last_check + CONSENT;
            if !fresh {
                removed.push(validated.path);
            }
            fresh
        });
        if self.nominated.is_some_and(|path| !self.is_validated(&path)) {
            self.nominated = None;
        }
        if now < self.last_check + CONSENT {
            Consent::Given
        } else {
            Consent::Expired
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, and what.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let checks = self.paths.iter().map(|validated| validated.last_check);
        let oldest = checks.min().unwrap_or(self.last_check);
        Some((oldest + CONSENT, "ICE consent"))
    }

    /// Whose request this is, and whether with the credentials of a restart.
    fn authenticate(&self, request: &Message<'_>) -> Result<(&Generation, bool), CheckError> {
        if request.kind() != stun::BINDING_REQUEST {
            return Err(CheckError::NotABindingRequest);
        }
        if !request.fingerprint_fits() {
            return Err(CheckError::Fingerprint);
        }
        let username = username(request).ok_or(CheckError::Username)?;
        let current = (&self.current, false);
        let next = self.next.as_ref().map(|next| (next, true));
        let (generation, is_next) = std::iter::once(current)
            .chain(next)
            .find(|(generation, _)| username == (&generation.local.ufrag, &generation.remote.ufrag))
            .ok_or(CheckError::Username)?;
        if !request.integrity_fits(generation.local.password.as_bytes()) {
            return Err(CheckError::Integrity);
        }
        Ok((generation, is_next))
    }

    /// Enters a valid check.
    fn accept(&mut self, now: Instant, path: Path, nominates: bool, is_next: bool) -> Checked {
        let before = self.selected();
        self.last_check = now;
        let (new_path, evicted) = self.touch(now, path);
        if nominates {
            self.nominated = Some(path);
        }
        let restarted = nominates && is_next;
        if restarted && let Some(next) = self.next.take() {
            self.current = next;
        }
        Checked {
            new_path,
            selected: self.selected() != before,
            restarted,
            evicted,
        }
    }

    /// Puts a path into the validated set, or refreshes it there.
    fn touch(&mut self, now: Instant, path: Path) -> (bool, Option<Path>) {
        let known = self.paths.iter_mut().find(|known| known.path == path);
        if let Some(validated) = known {
            validated.last_check = now;
            return (false, None);
        }
        let evicted = if self.paths.len() == PATHS_MAX {
            self.evict()
        } else {
            None
        };
        self.paths.push(Validated {
            path,
            last_check: now,
        });
        (true, evicted)
    }

    fn evict(&mut self) -> Option<Path> {
        let selected = self.selected();
        let (at, _) = self
            .paths
            .iter()
            .enumerate()
            .filter(|(_, validated)| Some(validated.path) != selected)
            .min_by_key(|(_, validated)| validated.last_check)?;
        Some(self.paths.remove(at).path)
    }
}

/// Writes an answer with integrity and fingerprint (RFC 8445 §7.3).
fn answer(
    request: &Message<'_>,
    key: &[u8],
    to: Path,
    out: &mut SendArena,
    kind: u16,
    write: impl FnOnce(&mut Writer<'_>),
) {
    let start = out.begin();
    let mut answer = Writer::new(out.bytes_mut(), kind, request.transaction());
    write(&mut answer);
    match answer.integrity(key) {
        Ok(()) => {
            answer.fingerprint();
            out.commit(to, start);
        }
        Err(_) => out.abort(start),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::ids::LocalSocket;

    const TRANSACTION: [u8; 12] = *b"transaction!";

    fn path(port: u16) -> Path {
        Path {
            local: LocalSocket(0),
            remote: ([192, 0, 2, 1], port).into(),
        }
    }

    fn credentials(name: &str) -> Credentials {
        Credentials {
            ufrag: format!("{name}-ufrag"),
            password: format!("{name}-password-of-22-chars"),
        }
    }

    fn session(now: Instant) -> IceLite {
        IceLite::new(now, credentials("ours"), credentials("theirs"))
    }

    const NOMINATE: (u16, &[u8]) = (stun::USE_CANDIDATE, &[]);

    /// A check as browsers send it, from `theirs` to `ours`.
    fn check(ours: &str, theirs: &str, more: &[(u16, &[u8])]) -> Vec<u8> {
        let (ours, theirs) = (credentials(ours), credentials(theirs));
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, stun::BINDING_REQUEST, &TRANSACTION);
        let username = format!("{}:{}", ours.ufrag, theirs.ufrag);
        writer.attribute(stun::USERNAME, username.as_bytes());
        writer.attribute(0xC057, &[0, 1, 0, 10]);
        writer.attribute(stun::PRIORITY, &[0x6e, 0, 1, 0xff]);
        for (kind, value) in more {
            writer.attribute(*kind, value);
        }
        writer.integrity(ours.password.as_bytes()).unwrap();
        writer.fingerprint();
        bytes
    }

    /// Handles a check and says what changed and what was answered.
    fn handle(
        ice: &mut IceLite,
        now: Instant,
        path: Path,
        message: &[u8],
    ) -> (Result<Checked, CheckError>, Option<Vec<u8>>) {
        let mut out = SendArena::new();
        let result = ice.handle(now, path, message, &mut out);
        assert!(out.datagrams().all(|(to, _)| to == path));
        let answer = out.datagrams().next().map(|(_, bytes)| bytes.to_vec());
        (result, answer)
    }

    /// Handles a check that must be valid.
    fn valid(ice: &mut IceLite, now: Instant, port: u16, message: &[u8]) -> Checked {
        handle(ice, now, path(port), message).0.unwrap()
    }

    #[test]
    fn the_ufrag_is_what_stands_before_the_colon() {
        assert_eq!(
            local_ufrag(&check("ours", "theirs", &[])),
            Some("ours-ufrag")
        );
        assert_eq!(local_ufrag(b"nonsense"), None);
        let mut without = vec![];
        Writer::new(&mut without, stun::BINDING_REQUEST, &TRANSACTION);
        assert_eq!(local_ufrag(&without), None);
    }

    #[test]
    fn a_valid_check_is_answered_and_validates_its_path() {
        let now = Instant::now();
        let mut ice = session(now);
        let (checked, answer) = handle(&mut ice, now, path(1), &check("ours", "theirs", &[]));
        let expected = Checked {
            new_path: true,
            selected: true,
            ..Checked::default()
        };
        assert_eq!(checked, Ok(expected));
        assert!(ice.is_validated(&path(1)) && !ice.is_validated(&path(2)));

        let answer = answer.unwrap();
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.kind(), stun::BINDING_SUCCESS);
        assert_eq!(message.transaction(), &TRANSACTION);
        assert!(message.integrity_fits(b"ours-password-of-22-chars") && message.fingerprint_fits());
        assert!(message.attribute(stun::XOR_MAPPED_ADDRESS).is_some());
        let (checked, _) = handle(&mut ice, now, path(1), &check("ours", "theirs", &[]));
        assert_eq!(checked, Ok(Checked::default()));
    }

    #[test]
    fn a_failed_check_is_dropped_in_silence() {
        let now = Instant::now();
        let mut ice = session(now);
        let good = check("ours", "theirs", &[]);
        let mut wrong_fingerprint = good.clone();
        *wrong_fingerprint.last_mut().unwrap() ^= 1;
        let mut response = good.clone();
        response[0] = 1;
        let mut wrong_password = vec![];
        let mut writer = Writer::new(&mut wrong_password, stun::BINDING_REQUEST, &TRANSACTION);
        writer.attribute(stun::USERNAME, b"ours-ufrag:theirs-ufrag");
        writer.integrity(b"guessed").unwrap();
        writer.fingerprint();
        let cases = [
            (wrong_fingerprint, CheckError::Fingerprint),
            (response, CheckError::NotABindingRequest),
            (wrong_password, CheckError::Integrity),
            (check("other", "theirs", &[]), CheckError::Username),
            (check("ours", "other", &[]), CheckError::Username),
            (vec![0; 20], CheckError::NotABindingRequest),
        ];
        for (message, error) in cases {
            assert_eq!(handle(&mut ice, now, path(1), &message), (Err(error), None));
        }
        for bit in 0..8 * good.len() {
            let mut tampered = good.clone();
            tampered[bit / 8] ^= 1 << (bit % 8);
            let (result, answer) = handle(&mut ice, now, path(1), &tampered);
            assert!(result.is_err() && answer.is_none(), "bit {bit}");
        }
        assert_eq!((ice.selected(), ice.is_validated(&path(1))), (None, false));
    }

    #[test]
    fn authentic_requests_that_cannot_be_served_get_an_error() {
        let now = Instant::now();
        let mut ice = session(now);
        let unknown: (u16, &[u8]) = (0x7777, &[]);
        let controlled: (u16, &[u8]) = (stun::ICE_CONTROLLED, &[0; 8]);
        let cases = [
            (unknown, CheckError::UnknownAttribute, [0, 0, 4, 20]),
            (controlled, CheckError::RoleConflict, [0, 0, 4, 87]),
        ];
        for (attribute, error, code) in cases {
            let message = check("ours", "theirs", &[attribute]);
            let (result, answer) = handle(&mut ice, now, path(1), &message);
            assert_eq!(result, Err(error));
            let answer = answer.unwrap();
            let answer = Message::parse(&answer).unwrap();
            assert_eq!(answer.kind(), stun::BINDING_ERROR);
            assert_eq!(answer.attribute(stun::ERROR_CODE), Some(&code[..]));
            assert!(answer.integrity_fits(b"ours-password-of-22-chars"));
        }
        assert!(!ice.is_validated(&path(1)));
    }

    #[test]
    fn nomination_selects_and_selects_again() {
        let now = Instant::now();
        let mut ice = session(now);
        let plain = check("ours", "theirs", &[]);
        let nominating = check("ours", "theirs", &[NOMINATE]);
        let steps = [
            (1, &plain, Some(1)),
            (2, &plain, Some(1)),
            (3, &nominating, Some(3)),
            (2, &plain, Some(3)),
            (2, &nominating, Some(2)),
            (3, &nominating, Some(3)),
        ];
        for (port, message, selected) in steps {
            let before = ice.selected();
            let checked = valid(&mut ice, now, port, message);
            assert_eq!(ice.selected(), selected.map(path));
            assert_eq!(checked.selected, before != ice.selected());
        }
        assert!(
            [1, 2, 3]
                .map(path)
                .iter()
                .all(|path| ice.is_validated(path))
        );
    }

    #[test]
    fn paths_expire_and_then_consent() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ice = session(start);
        let message = check("ours", "theirs", &[NOMINATE]);
        valid(&mut ice, at(1), 1, &message);
        valid(&mut ice, at(2), 2, &check("ours", "theirs", &[]));
        assert_eq!(ice.poll_timeout().unwrap().0, at(31));
        let mut removed = vec![];
        assert_eq!(ice.handle_timeout(at(30), &mut removed), Consent::Given);
        assert_eq!(removed, []);
        assert_eq!(ice.handle_timeout(at(31), &mut removed), Consent::Given);
        assert_eq!(removed, [path(1)]);
        assert_eq!(ice.selected(), Some(path(2)));
        assert_eq!(ice.handle_timeout(at(32), &mut removed), Consent::Expired);
        assert_eq!((removed.len(), ice.selected()), (2, None));
    }

    #[test]
    fn a_session_that_was_never_checked_expires() {
        let start = Instant::now();
        let mut ice = session(start);
        let (deadline, _) = ice.poll_timeout().unwrap();
        assert_eq!(deadline, start + CONSENT);
        assert_eq!(ice.handle_timeout(deadline, &mut vec![]), Consent::Expired);
    }

    #[test]
    fn a_restart_is_complete_with_its_first_nomination() {
        let now = Instant::now();
        let mut ice = session(now);
        let old = check("ours", "theirs", &[NOMINATE]);
        valid(&mut ice, now, 1, &old);
        ice.restart(credentials("new"), credentials("their-new"));
        assert_eq!(
            ice.ufrags().collect::<Vec<_>>(),
            ["ours-ufrag", "new-ufrag"]
        );

        let (checked, answer) = handle(&mut ice, now, path(2), &check("new", "their-new", &[]));
        assert!(checked.unwrap().new_path && !checked.unwrap().restarted);
        let answer = answer.unwrap();
        let answer = Message::parse(&answer).unwrap();
        assert!(answer.integrity_fits(b"new-password-of-22-chars"));
        assert_eq!(ice.selected(), Some(path(1)));
        valid(&mut ice, now, 1, &old);
        let (mixed, _) = handle(&mut ice, now, path(2), &check("new", "theirs", &[]));
        assert_eq!(mixed, Err(CheckError::Username));

        let nominating = check("new", "their-new", &[NOMINATE]);
        let (checked, _) = handle(&mut ice, now, path(2), &nominating);
        assert!(checked.unwrap().restarted && checked.unwrap().selected);
        assert_eq!(ice.selected(), Some(path(2)));
        assert_eq!(ice.ufrags().collect::<Vec<_>>(), ["new-ufrag"]);
        assert_eq!(
            handle(&mut ice, now, path(1), &old).0,
            Err(CheckError::Username)
        );
        assert!(!valid(&mut ice, now, 2, &nominating).restarted);
    }

    #[test]
    fn the_selected_path_is_never_given_up_for_room() {
        let start = Instant::now();
        let mut ice = session(start);
        valid(&mut ice, start, 1, &check("ours", "theirs", &[NOMINATE]));
        for port in 2..100 {
            let now = start + Duration::from_millis(port.into());
            let checked = valid(&mut ice, now, port, &check("ours", "theirs", &[]));
            let evicted =
                (usize::from(port) > PATHS_MAX).then(|| path(port - PATHS_MAX as u16 + 1));
            assert_eq!(checked.evicted, evicted);
        }
        assert_eq!(ice.paths().count(), PATHS_MAX);
        assert_eq!(ice.selected(), Some(path(1)));
    }

    proptest! {
        #[test]
        fn hostile_bytes_change_nothing(
            changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..8),
            cut in 0usize..4,
        ) {
            let now = Instant::now();
            let mut ice = session(now);
            let mut message = check("ours", "theirs", &[NOMINATE]);
            let good = message.clone();
            for (at, change) in changes {
                let at = at.index(message.len());
                message[at] ^= change;
            }
            message.truncate(message.len() - cut);
            prop_assume!(message != good);
            local_ufrag(&message);
            let (result, answer) = handle(&mut ice, now, path(1), &message);
            prop_assert!(result.is_err() && answer.is_none() && ice.selected().is_none());
        }
    }
}
