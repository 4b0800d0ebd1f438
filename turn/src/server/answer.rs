//! Answers: short, without SOFTWARE and without reason phrases, so that they say little and serve
//! nobody to flood others.

use std::time::Instant;

use super::allocation::Key;
use super::authenticate::{Request, source_bytes};
use super::{ClientSocket, Command, Server};
use crate::binding;
use crate::credentials::Algorithm;
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
    /// 400, 401 or 438 to somebody unknown. With the shortest realm a 401 has 80 bytes, against 28 of
    /// the shortest Allocate: RFC 8489 asks for realm, nonce and algorithms, so the 1.6 that other
    /// answers keep to cannot be had, and the number of these is limited per source instead.
    pub(super) fn challenge(
        &mut self,
        now: Instant,
        client: ClientSocket,
        message: &Message<'_>,
        code: u16,
        out: &mut Vec<Command>,
    ) {
        // A stream's source is no forgery.
        let is_forgeable = client.transport == super::Transport::Udp;
        if is_forgeable && !self.challenges.admit(now, client.remote.ip()) {
            self.counters.unanswered += 1;
            return;
        }
        self.counters.challenged += 1;
        let age = now.saturating_duration_since(self.started_at);
        let mut bytes = Vec::with_capacity(96);
        let kind = message.kind() | words::ERROR;
        let mut writer = Writer::new(&mut bytes, kind, message.transaction());
        writer.error(code);
        if code != 400 {
            let nonce = self.nonces.issue(age, &source_bytes(client));
            writer.attribute(stun::REALM, self.config.realm.as_bytes());
            writer.attribute(stun::NONCE, &nonce);
            writer.attribute(stun::PASSWORD_ALGORITHMS, &Algorithm::OFFERED);
        }
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
        let is_longer = answer.len() * 10 > bytes.len() * 16;
        let is_forgeable = client.transport == super::Transport::Udp;
        if is_longer && is_forgeable && !self.challenges.admit(now, client.remote.ip()) {
            self.counters.unanswered += 1;
            return;
        }
        out.push(Command::Send {
            to: client,
            bytes: answer,
        });
    }
}
