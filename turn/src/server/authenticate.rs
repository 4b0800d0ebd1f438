//! Who sent a request: long-term credentials (RFC 8489 §9.2.4).

use std::net::IpAddr;
use std::time::Instant;

use super::allocation::Key;
use super::{ClientSocket, Refusal, Server};
use crate::credentials::{self, Algorithm, User};
use crate::stun::{self, Message};

/// A request by somebody who knows the password.
pub(super) struct Request<'a> {
    pub(super) client: ClientSocket,
    pub(super) message: Message<'a>,
    pub(super) user: User<'a>,
    pub(super) key: Key,
}

impl Request<'_> {
    /// 420 for what must be understood and is not (RFC 8489 §6.3.1).
    pub(super) fn understands(&self, known: &[u16]) -> Result<(), Refusal> {
        const OF_CREDENTIALS: [u16; 4] = [
            stun::USERNAME,
            stun::REALM,
            stun::NONCE,
            stun::PASSWORD_ALGORITHM,
        ];
        let mut unknown = self.message.unknown_required(&OF_CREDENTIALS);
        unknown.retain(|kind| !known.contains(kind));
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(Refusal { code: 420, unknown }),
        }
    }
}

impl Server {
    /// The request with its user and key, or 400, 401 or 438, in the order of the RFC.
    pub(super) fn authenticate<'a>(
        &mut self,
        now: Instant,
        client: ClientSocket,
        message: &Message<'a>,
    ) -> Result<Request<'a>, u16> {
        if !message.has_integrity() && !message.has_integrity_sha256() {
            return Err(401);
        }
        let username = message.attribute(stun::USERNAME).ok_or(400u16)?;
        let realm = message.attribute(stun::REALM).ok_or(400u16)?;
        let nonce = message.attribute(stun::NONCE).ok_or(400u16)?;
        let algorithm = algorithm_of(message)?;
        if realm != self.config.realm.as_bytes() {
            return Err(401);
        }
        let unix = self.unix(now);
        let life = self.config.credential_life_max_s;
        let user = credentials::check(username, unix.as_secs(), life).ok_or(401u16)?;
        if self.is_out(unix, user.member) {
            return Err(401);
        }
        let key = self
            .proven_key(message, algorithm, username)
            .ok_or(401u16)?;
        let age = now.saturating_duration_since(self.started_at);
        if !self.nonces.is_fresh(age, &source_bytes(client), nonce) {
            return Err(438);
        }
        Ok(Request {
            client,
            message: *message,
            user,
            key,
        })
    }

    /// The user's key, if the request was signed with it. SHA-256 counts when it is there.
    fn proven_key(
        &self,
        message: &Message<'_>,
        algorithm: Algorithm,
        username: &[u8],
    ) -> Option<Key> {
        let password = credentials::password_of(&self.config.secret, username);
        let realm = &self.config.realm;
        let bytes = credentials::long_term_key(algorithm, username, realm, password.as_bytes());
        let is_sha256 = message.has_integrity_sha256();
        let fits = match is_sha256 {
            true => message.integrity_sha256_fits(&bytes),
            false => message.integrity_fits(&bytes),
        };
        (fits && !bytes.is_empty()).then_some(Key { bytes, is_sha256 })
    }
}

/// How the client made its key. A list other than ours was changed on the way, by someone who would
/// like a weaker algorithm; a client that names none knows only MD5.
fn algorithm_of(message: &Message<'_>) -> Result<Algorithm, u16> {
    let chosen = message.attribute(stun::PASSWORD_ALGORITHM);
    let offered = message.attribute(stun::PASSWORD_ALGORITHMS);
    match (chosen, offered) {
        (None, None) => Ok(Algorithm::Md5),
        (Some(chosen), Some(offered)) if offered == Algorithm::OFFERED => {
            Algorithm::read(chosen).ok_or(400)
        }
        _ => Err(400),
    }
}

/// What a nonce is bound to.
pub(super) fn source_bytes(client: ClientSocket) -> [u8; 19] {
    let mut bytes = [0; 19];
    let ip = match client.remote.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    bytes[..16].copy_from_slice(&ip.octets());
    bytes[16..18].copy_from_slice(&client.remote.port().to_be_bytes());
    bytes[18] = client.transport as u8;
    bytes
}
