//! A member's account with the node's relay (RFC 8489 §9.2), whatever carries the messages.

use motet_turn::credentials::{self, Algorithm};
use motet_turn::stun::{self, Message, Writer};
use serde_json::Value;

/// What signs requests; the realm and nonce come with the first answer.
pub struct Account {
    pub name: String,
    pub password: String,
    realm: String,
    nonce: Vec<u8>,
    /// Of the last request.
    pub transactions: u8,
}

impl Account {
    /// With the credentials of `joined`.
    pub fn of_joined(joined: &Value) -> Self {
        let servers = joined["iceServers"].as_array().unwrap();
        let relay = servers.iter().find(|server| server["username"].is_string());
        let relay = relay.expect("credentials");
        let text = |key: &str| relay[key].as_str().unwrap().to_owned();
        Self {
            name: text("username"),
            password: text("credential"),
            realm: String::new(),
            nonce: vec![],
            transactions: 0,
        }
    }

    /// Whether there is no nonce yet.
    pub fn needs_challenge(&self) -> bool {
        self.nonce.is_empty()
    }

    /// Takes the answer to a bare request.
    pub fn challenged(&mut self, answer: &[u8]) {
        let challenge = Message::parse(answer).unwrap();
        let value = |kind| challenge.attribute(kind).unwrap().to_vec();
        assert_eq!(value(stun::ERROR_CODE), [0, 0, 4, 1]);
        self.nonce = value(stun::NONCE);
        self.realm = String::from_utf8(value(stun::REALM)).unwrap();
    }

    /// A bare request.
    pub fn request(&mut self, kind: u16, fill: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        self.transactions += 1;
        let mut bytes = vec![];
        fill(&mut Writer::new(&mut bytes, kind, &[self.transactions; 12]));
        bytes
    }

    /// A signed request.
    pub fn signed(&mut self, kind: u16, fill: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        let (name, password) = (self.name.clone(), self.password.clone());
        let (realm, nonce) = (self.realm.clone(), self.nonce.clone());
        self.request(kind, |writer| {
            fill(writer);
            let (name, password) = (name.as_bytes(), password.as_bytes());
            writer.attribute(stun::USERNAME, name);
            writer.attribute(stun::REALM, realm.as_bytes());
            writer.attribute(stun::NONCE, &nonce);
            let key = credentials::long_term_key(Algorithm::Md5, name, &realm, password);
            writer.integrity(&key).unwrap();
        })
    }
}
