//! ICE-lite (RFC 8445 §2.5): answers checks, and sends one of its own only to find out whether the
//! other side is where its check came from.

mod credentials;
mod paths;

use std::time::{Duration, Instant};

use motet_turn::stun::{self, Message, Writer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::ids::Path;
use crate::media::demux::PeerKey;
use crate::media::egress::SendArena;
pub use credentials::Credentials;
use paths::Paths;
pub use paths::{ALLOWANCE_MAX, ALLOWANCE_PER_SECOND, PATHS_MAX};

/// Without a valid check for this long there is no consent to send (RFC 7675 §5.1).
pub const CONSENT: Duration = Duration::from_secs(30);
/// Between two checks of one session, at least: no more are sent than are worth answering.
const ASK_INTERVAL: Duration = Duration::from_millis(10);
/// That of a peer-reflexive candidate (RFC 8445 §5.1.2.1): a check has to name one, and nobody makes
/// anything of a lite agent's.
const PRIORITY: [u8; 4] = [0x6e, 0xff, 0xff, 0xff];

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

/// Whose check an answer is to, by what the transaction begins with. Nothing is verified yet.
pub fn asked_by(message: &[u8]) -> Option<PeerKey> {
    let message = Message::parse(message).ok()?;
    if message.kind() != stun::BINDING_SUCCESS {
        return None;
    }
    let key = message.transaction().first_chunk()?;
    Some(PeerKey(u32::from_be_bytes(*key)))
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
    /// The other side receives what is sent by the path.
    pub proven: bool,
    /// This path left the validated set to make room.
    pub evicted: Option<Path>,
}

/// Why a message was no valid check. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Not a well-formed Binding request; dropped.
    #[error("not a binding request")]
    NotABindingRequest,
    /// The answer to no check of ours; dropped.
    #[error("nothing was asked")]
    NotAsked,
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
    paths: Paths,
    last_check: Instant,
    /// When the last check of ours went out.
    asked: Option<Instant>,
    /// What the transactions of our checks begin with: by it their answers find back.
    key: PeerKey,
    rng: StdRng,
}

#[derive(Debug)]
struct Generation {
    local: Credentials,
    remote: Credentials,
}

impl IceLite {
    /// Waits for checks, for as long as consent lasts.
    pub fn new(now: Instant, local: Credentials, remote: Credentials, rng: &mut StdRng) -> Self {
        IceLite {
            current: Generation { local, remote },
            next: None,
            paths: Paths::new(now),
            last_check: now,
            asked: None,
            key: PeerKey(0),
            rng: StdRng::from_rng(rng),
        }
    }

    /// Under this key answers to checks of ours are handed in.
    pub fn set_key(&mut self, key: PeerKey) {
        self.key = key;
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
        if request.kind() == stun::BINDING_SUCCESS {
            return self.take_answer(path, &request);
        }
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
        Ok(self.accept(now, (path, nominates, is_next), out))
    }

    /// Takes the answer to a check of ours: whoever is at the other end of the path got it.
    fn take_answer(&mut self, path: Path, answer: &Message<'_>) -> Result<Checked, CheckError> {
        let asked = self.paths.to_be_proven(&path);
        if asked.as_ref() != Some(answer.transaction()) {
            return Err(CheckError::NotAsked);
        }
        // Any STUN server would answer; the other side alone knows its password.
        let generations = std::iter::once(&self.current).chain(&self.next);
        let mut passwords = generations.map(|generation| generation.remote.password.as_bytes());
        if !passwords.any(|password| answer.integrity_fits(password)) {
            return Err(CheckError::Integrity);
        }
        let before = self.selected();
        self.paths.prove(&path);
        Ok(Checked {
            selected: self.selected() != before,
            proven: true,
            ..Checked::default()
        })
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
        self.paths.contains(path)
    }

    /// The other side receives what is sent by this path.
    pub fn is_proven(&self, path: &Path) -> bool {
        self.paths.is_proven(path)
    }

    /// Something else has shown that the other side receives what is sent by this path.
    pub fn prove(&mut self, path: &Path) {
        self.paths.prove(path);
    }

    /// The validated paths, in the order of their first check.
    pub fn paths(&self) -> impl Iterator<Item = Path> {
        self.paths.iter()
    }

    /// The path to send by: the one nominated last, or the first that was validated; a proven one once
    /// the allowance of the others is used up.
    pub fn selected(&self) -> Option<Path> {
        self.paths.selected()
    }

    /// So many bytes were sent by the selected path.
    pub fn sent(&mut self, bytes: usize) {
        self.paths.sent(bytes);
    }

    /// So many authentic bytes came over a path.
    pub fn heard(&mut self, path: Path, bytes: usize) {
        self.paths.heard(path, bytes);
    }

    /// Whether so many bytes may be sent over a path, whichever is selected; then they are counted.
    pub fn may_send(&mut self, path: &Path, bytes: usize) -> bool {
        self.paths.may_send(path, bytes)
    }

    /// Drops paths without a check for [`CONSENT`] into `removed`.
    pub fn handle_timeout(&mut self, now: Instant, removed: &mut Vec<Path>) -> Consent {
        self.paths.expire(now, removed);
        if now < self.last_check + CONSENT {
            Consent::Given
        } else {
            Consent::Expired
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, and what.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let oldest = self.paths.oldest_check().unwrap_or(self.last_check);
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

    /// Enters a valid check, and asks back unless it is known already that the other side is there.
    fn accept(
        &mut self,
        now: Instant,
        (path, nominates, is_next): (Path, bool, bool),
        out: &mut SendArena,
    ) -> Checked {
        let before = self.selected();
        self.last_check = now;
        let (key, rng) = (self.key, &mut self.rng);
        let transaction = || {
            let mut transaction: [u8; 12] = rng.random();
            transaction[..4].copy_from_slice(&key.0.to_be_bytes());
            transaction
        };
        let (new_path, evicted) = self.paths.touch(now, path, transaction);
        let may_ask = self.asked.is_none_or(|asked| now >= asked + ASK_INTERVAL);
        if let Some(transaction) = self.paths.to_be_proven(&path).filter(|_| may_ask) {
            self.asked = Some(now);
            let generation = match &self.next {
                Some(next) if is_next => next,
                _ => &self.current,
            };
            ask(generation, &transaction, path, out);
        }
        if nominates {
            self.paths.nominate(path);
        }
        let restarted = nominates && is_next;
        if restarted && let Some(next) = self.next.take() {
            self.current = next;
        }
        Checked {
            new_path,
            selected: self.selected() != before,
            restarted,
            proven: self.is_proven(&path),
            evicted,
        }
    }
}

/// Writes a check (RFC 8445 §7.2.2). It is hardly longer than the one that it follows, so that it is
/// not worth forging that one's source.
fn ask(generation: &Generation, transaction: &[u8; 12], to: Path, out: &mut SendArena) {
    let (local, remote) = (&generation.local, &generation.remote);
    let username = format!("{}:{}", remote.ufrag, local.ufrag);
    let start = out.begin();
    let mut check = Writer::new(out.bytes_mut(), stun::BINDING_REQUEST, transaction);
    check.attribute(stun::USERNAME, username.as_bytes());
    check.attribute(stun::PRIORITY, &PRIORITY);
    // The controlled side's; which number it is decides nothing against a side that controls.
    check.attribute(stun::ICE_CONTROLLED, &[0; 8]);
    let is_whole = protect(&mut check, remote.password.as_bytes());
    finish(out, to, start, is_whole);
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
    let is_whole = protect(&mut answer, key);
    finish(out, to, start, is_whole);
}

/// Ends a message with integrity and fingerprint; `false` if the cryptography cannot.
fn protect(message: &mut Writer<'_>, key: &[u8]) -> bool {
    let is_whole = message.integrity(key).is_ok();
    message.fingerprint();
    is_whole
}

fn finish(out: &mut SendArena, to: Path, start: usize, is_whole: bool) {
    if is_whole {
        out.commit(to, start);
    } else {
        out.abort(start);
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
        IceLite::new(
            now,
            credentials("ours"),
            credentials("theirs"),
            &mut StdRng::seed_from_u64(1),
        )
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
            (response, CheckError::NotAsked),
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

    /// What the node asks back after that check, if it does.
    fn asked_back(ice: &mut IceLite, now: Instant, port: u16, message: &[u8]) -> Option<Vec<u8>> {
        let mut out = SendArena::new();
        ice.handle(now, path(port), message, &mut out).unwrap();
        out.get(1).map(|(_, bytes)| bytes.to_vec())
    }

    /// The answer of somebody who got that check and knows that password.
    fn answer_to(check: &[u8], password: &str) -> Vec<u8> {
        let check = Message::parse(check).unwrap();
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, stun::BINDING_SUCCESS, check.transaction());
        writer.xor_mapped_address(path(1).remote);
        writer.integrity(password.as_bytes()).unwrap();
        writer.fingerprint();
        bytes
    }

    const THEIR_PASSWORD: &str = "theirs-password-of-22-chars";

    #[test]
    fn who_is_not_known_to_be_there_is_asked_and_media_follows_no_further_than_the_allowance() {
        let now = Instant::now();
        let mut ice = session(now);
        let nominating = check("ours", "theirs", &[NOMINATE]);
        let question = asked_back(&mut ice, now, 1, &nominating).unwrap();
        let proof = answer_to(&question, THEIR_PASSWORD);
        assert!(valid(&mut ice, now, 1, &proof).proven);
        assert_eq!(asked_back(&mut ice, now, 1, &nominating), None);

        valid(&mut ice, now, 2, &nominating);
        assert_eq!(
            ice.selected(),
            Some(path(2)),
            "whoever moves waits for nothing"
        );
        ice.sent(ALLOWANCE_MAX - 1);
        assert_eq!(ice.selected(), Some(path(2)));
        ice.sent(1);
        assert_eq!(
            ice.selected(),
            Some(path(1)),
            "back to where they are known to be"
        );
        assert!(!ice.may_send(&path(2), 1) && ice.may_send(&path(1), 1));
        let later = now + Duration::from_secs(1);
        let question = asked_back(&mut ice, later, 2, &nominating).unwrap();
        ice.sent(ALLOWANCE_PER_SECOND);
        assert_eq!(ice.selected(), Some(path(1)), "checks buy little");
        ice.heard(path(2), 100);
        assert_eq!(ice.selected(), Some(path(2)));
        ice.sent(300);
        assert_eq!(ice.selected(), Some(path(1)), "and media not much");

        let proof = answer_to(&question, THEIR_PASSWORD);
        let checked = valid(&mut ice, later, 2, &proof);
        assert!(checked.selected && checked.proven);
        ice.sent(10 * ALLOWANCE_MAX);
        assert_eq!(ice.selected(), Some(path(2)));
    }

    #[test]
    fn who_proves_nothing_anywhere_gets_the_allowance_and_no_more() {
        let now = Instant::now();
        for message in [
            check("ours", "theirs", &[]),
            check("ours", "theirs", &[NOMINATE]),
        ] {
            let mut ice = session(now);
            valid(&mut ice, now, 1, &message);
            valid(&mut ice, now, 2, &message);
            assert!(ice.selected().is_some());
            ice.sent(ALLOWANCE_MAX);
            assert_eq!(ice.selected(), None);
        }
    }

    #[test]
    fn only_the_other_side_can_show_that_it_is_there() {
        let now = Instant::now();
        let mut ice = session(now);
        ice.set_key(PeerKey(0x0102_0304));
        let plain = check("ours", "theirs", &[]);
        let question = asked_back(&mut ice, now, 1, &plain).unwrap();
        let asked = Message::parse(&question).unwrap();
        assert_eq!(
            asked.attribute(stun::USERNAME),
            Some(&b"theirs-ufrag:ours-ufrag"[..])
        );
        assert!(asked.integrity_fits(THEIR_PASSWORD.as_bytes()) && asked.fingerprint_fits());
        let good = answer_to(&question, THEIR_PASSWORD);
        assert_eq!(asked_by(&good), Some(PeerKey(0x0102_0304)));
        assert_eq!(asked_by(&plain), None);

        assert_eq!(asked_back(&mut ice, now, 2, &plain), None, "not so often");
        let now = now + ASK_INTERVAL;
        let other = asked_back(&mut ice, now, 2, &plain).unwrap();
        let mut guessed = good.clone();
        guessed[19] ^= 1;
        for (answer, error) in [
            (
                answer_to(&question, "a STUN server's"),
                CheckError::Integrity,
            ),
            (answer_to(&other, THEIR_PASSWORD), CheckError::NotAsked),
            (guessed, CheckError::NotAsked),
        ] {
            assert_eq!(handle(&mut ice, now, path(1), &answer), (Err(error), None));
        }
        assert!(!ice.is_proven(&path(1)));
        assert!(valid(&mut ice, now, 1, &good).proven);
        assert!(!ice.is_proven(&path(2)));
        let again = handle(&mut ice, now, path(1), &good).0;
        assert_eq!(again, Err(CheckError::NotAsked));
    }

    #[test]
    fn a_restart_is_asked_back_with_its_own_credentials() {
        let now = Instant::now();
        let mut ice = session(now);
        ice.restart(credentials("new"), credentials("their-new"));
        let nominating = check("new", "their-new", &[NOMINATE]);
        let question = asked_back(&mut ice, now, 2, &nominating).unwrap();
        let proof = answer_to(&question, "their-new-password-of-22-chars");
        assert!(valid(&mut ice, now, 2, &proof).proven);
    }

    #[test]
    fn a_check_is_not_worth_forging_its_source() {
        let now = Instant::now();
        let mut ice = session(now);
        let (ours, theirs) = (credentials("ours"), credentials("theirs"));
        let mut shortest = vec![];
        let mut writer = Writer::new(&mut shortest, stun::BINDING_REQUEST, &TRANSACTION);
        let username = format!("{}:{}", ours.ufrag, theirs.ufrag);
        writer.attribute(stun::USERNAME, username.as_bytes());
        writer.integrity(ours.password.as_bytes()).unwrap();
        writer.fingerprint();
        let mut out = SendArena::new();
        ice.handle(now, path(1), &shortest, &mut out).unwrap();
        let sent: usize = out.datagrams().map(|(_, bytes)| bytes.len()).sum();
        assert!(
            sent <= AMPLIFIED * shortest.len(),
            "{sent} for {}",
            shortest.len()
        );
    }

    /// No more than any other answer to what is forged (RFC 9000 §8.1).
    const AMPLIFIED: usize = 3;

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
