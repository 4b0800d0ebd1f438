//! Answers: short, without SOFTWARE and without reason phrases, so that they say little and serve
//! nobody to flood others.

use std::time::Instant;

use super::allocation::Key;
use super::authenticate::{Request, source_bytes};
use super::{ClientSocket, Command, Server};
use crate::binding;
use crate::credentials::Algorithm;
use crate::nonce;
use crate::stun::{self, Message, Writer};
use crate::words;

/// Why a request of somebody known is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    /// With 420: what was not understood.
    pub(super) unknown: Vec<u16>,
}

impl Refusal {
    pub(super) fn code(code: u16) -> Self {
        Refusal {
            code,
            unknown: vec![],
        }
    }
}

/// Writes a whole answer, signed as the request was.
pub(super) fn signed(
    to: ClientSocket,
    kind: u16,
    transaction: &[u8; 12],
    key: &Key,
    with_fingerprint: bool,
    fill: impl FnOnce(&mut Writer<'_>),
) -> Command {
    let mut bytes = Vec::with_capacity(160);
    let mut writer = Writer::new(&mut bytes, kind, transaction);
    fill(&mut writer);
    // The same cryptography has just checked the request: it is there.
    let _ = match key.is_sha256 {
        true => writer.integrity_sha256(&key.bytes),
        false => writer.integrity(&key.bytes),
    };
    if with_fingerprint {
        writer.fingerprint();
    }
    Command::Send { to, bytes }
}

impl Request<'_> {
    /// The success that belongs to the request.
    pub(super) fn succeed(&self, out: &mut Vec<Command>, fill: impl FnOnce(&mut Writer<'_>)) {
        out.push(self.answer(words::SUCCESS, fill));
    }

    /// The error that belongs to the request.
    pub(super) fn refuse(&self, refusal: &Refusal, out: &mut Vec<Command>) {
        out.push(self.answer(words::ERROR, |writer| {
            writer.error(refusal.code);
            if !refusal.unknown.is_empty() {
                writer.unknown_attributes(&refusal.unknown);
            }
        }));
    }

    fn answer(&self, class: u16, fill: impl FnOnce(&mut Writer<'_>)) -> Command {
        signed(
            self.client,
            self.message.kind() | class,
            self.message.transaction(),
            &self.key,
            self.message.has_fingerprint(),
            fill,
        )
    }
}

impl Server {
    /// 400, 401 or 438 to somebody unknown, over UDP at most 1.6 times as long as the request: where there is no
    /// room for it, the nonce is short and algorithms are left out, as for the shortest Allocate; a bare request
    /// of 20 bytes, which no client sends without credentials, gets the code alone. An allocation proves that its
    /// source is no forgery.
    pub(super) fn challenge(
        &mut self,
        now: Instant,
        client: ClientSocket,
        message: &Message<'_>,
        code: u16,
        out: &mut Vec<Command>,
    ) {
        // A stream's source is no forgery.
        let is_udp = client.transport == super::Transport::Udp;
        if is_udp && !self.challenges.admit(now, client.remote.ip()) {
            self.counters.unanswered += 1;
            return;
        }
        let is_forgeable = is_udp && !self.has_allocation(now, client);
        self.counters.challenged += 1;
        let age = now.saturating_duration_since(self.started_at);
        let source = source_bytes(client);
        let realm = self.config.realm.as_bytes();
        let request_len = message.bytes().len();
        let fits =
            |values: &[usize]| !is_forgeable || !is_longer(challenge_len(values), request_len);
        let bytes = error(message, code, |writer| {
            if code == 400 {
            } else if fits(&[realm.len(), nonce::LEN, Algorithm::OFFERED.len()]) {
                writer.attribute(stun::REALM, realm);
                writer.attribute(stun::NONCE, &self.nonces.issue(age, &source));
                writer.attribute(stun::PASSWORD_ALGORITHMS, &Algorithm::OFFERED);
            } else if fits(&[realm.len(), nonce::SHORT_LEN]) {
                writer.attribute(stun::REALM, realm);
                writer.attribute(stun::NONCE, &self.nonces.issue_short(age, &source));
            }
        });
        out.push(Command::Send { to: client, bytes });
    }

    /// Binding, for everybody. What is longer than 1.6 times the request (an IPv6 source's answer to
    /// a bare request) counts like a challenge.
    pub(super) fn answer_binding(
        &mut self,
        now: Instant,
        client: ClientSocket,
        bytes: &[u8],
        out: &mut Vec<Command>,
    ) {
        let mut answer = Vec::with_capacity(44);
        if !binding::answer_binding(bytes, client.remote, &mut answer) {
            return;
        }
        let is_forgeable = client.transport == super::Transport::Udp;
        if is_forgeable
            && is_longer(answer.len(), bytes.len())
            && !self.challenges.admit(now, client.remote.ip())
        {
            self.counters.unanswered += 1;
            return;
        }
        out.push(Command::Send {
            to: client,
            bytes: answer,
        });
    }
}

/// An error to somebody unknown.
fn error(message: &Message<'_>, code: u16, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    let kind = message.kind() | words::ERROR;
    let mut writer = Writer::new(&mut bytes, kind, message.transaction());
    writer.error(code);
    fill(&mut writer);
    bytes
}

/// Bytes of a challenge with these values beside its code: the header, and attributes with their heads.
fn challenge_len(values: &[usize]) -> usize {
    let attribute = |len: &usize| 4 + len.next_multiple_of(4);
    28 + values.iter().map(attribute).sum::<usize>()
}

/// Whether an answer is more than 1.6 times as long as what it answers: worth forging a source for.
fn is_longer(answer_len: usize, request_len: usize) -> bool {
    answer_len * 10 > request_len * 16
}
