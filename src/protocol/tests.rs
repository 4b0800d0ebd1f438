#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::client::*;
use super::event::{Event, numbered};
use super::reason::*;
use super::server::*;
use crate::ids::MemberId;

const SOMEONE: &str = "0000000000001";

/// One of every message of a client, with every field.
fn client_messages() -> Vec<Value> {
    vec![
        json!({"type": "join", "room": "r", "name": "Ada", "sfuOnly": true, "ownerKey": "0123456789abcdef"}),
        json!({"type": "resume", "room": "r", "token": "t", "after": 4}),
        json!({"type": "signal", "to": SOMEONE, "epoch": 3, "description": {"type": "offer", "sdp": "v=0"}}),
        json!({"type": "signal", "to": SOMEONE, "epoch": 3, "candidate": {"candidate": "candidate:1",
            "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"}}),
        json!({"type": "offer", "sdp": "v=0", "epoch": 3, "fresh": true}),
        json!({"type": "publish", "source": "camera", "mid": "1", "stream": "s", "muted": true}),
        json!({"type": "mute", "source": "screenAudio", "muted": false}),
        json!({"type": "unpublish", "source": "screen"}),
        json!({"type": "view", "wants": [{"member": SOMEONE, "feed": "camera", "maxHeight": 360}]}),
        json!({"type": "ready", "epoch": 3}),
        json!({"type": "pair", "member": SOMEONE, "epoch": 3, "state": "failed"}),
        json!({"type": "unreachable", "cause": "ice"}),
        json!({"type": "strain", "cause": "cpu"}),
        json!({"type": "hand", "raised": true}),
        json!({"type": "react", "reaction": "thumbsUp"}),
        json!({"type": "silence", "member": SOMEONE, "source": "microphone", "silenced": true}),
        json!({"type": "lowerHand", "member": SOMEONE}),
        json!({"type": "remove", "member": SOMEONE}),
        json!({"type": "lock", "locked": true}),
        json!({"type": "lobby", "enabled": true}),
        json!({"type": "admit", "member": SOMEONE}),
        json!({"type": "deny", "member": SOMEONE}),
        json!({"type": "record", "active": true}),
        json!({"type": "end"}),
        json!({"type": "chat", "text": "a \u{1F60A}"}),
        json!({"type": "ping", "after": 4}),
        json!({"type": "bye"}),
    ]
}

fn with(message: &Value, field: &str, value: Value) -> String {
    let mut message = message.clone();
    message[field] = value;
    message.to_string()
}

#[test]
fn what_a_client_says_comes_back_as_it_was() {
    for message in client_messages() {
        for id in [None, Some(0), Some(7), Some(u32::MAX)] {
            let mut said = message.clone();
            if let Some(id) = id {
                said["id"] = id.into();
            }
            let frame = ClientFrame::parse(&said.to_string()).unwrap();
            assert_eq!(frame.id, id);
            let again: Value = serde_json::from_str(&frame.to_json()).unwrap();
            assert_eq!(again, said);
        }
    }
}

#[test]
fn what_may_be_left_out_may_be_left_out() {
    let cases = [
        (
            r#"{"type":"join","room":"r","name":"n"}"#,
            ClientMessage::Join {
                room: "r".into(),
                name: "n".into(),
                sfu_only: false,
                owner_key: None,
            },
        ),
        (
            r#"{"type":"offer","sdp":"","epoch":0}"#,
            ClientMessage::Offer {
                sdp: String::new(),
                epoch: 0,
                fresh: false,
            },
        ),
        (
            r#"{"type":"publish","source":"microphone"}"#,
            ClientMessage::Publish {
                source: Source::Microphone,
                mid: None,
                stream: None,
                muted: false,
            },
        ),
        (
            r#"{"type":"signal","to":"0000000000001","epoch":1,"candidate":{"candidate":"","sdpMid":null}}"#,
            ClientMessage::Signal {
                to: MemberId(1),
                epoch: 1,
                signal: Signal::Candidate(Candidate {
                    candidate: String::new(),
                    sdp_mid: None,
                    sdp_m_line_index: None,
                    username_fragment: None,
                }),
            },
        ),
    ];
    for (text, message) in cases {
        let frame = ClientFrame::parse(text);
        assert_eq!(frame, Ok(ClientFrame { id: None, message }), "{text}");
    }
}

#[test]
fn a_field_too_many_is_refused_everywhere() {
    for message in client_messages() {
        let error = ClientFrame::parse(&with(&message, "extra", json!(1))).unwrap_err();
        assert!(error.message.contains("extra"), "{message}: {error}");
        assert!(ClientFrame::parse(&with(&message, "seq", json!(1))).is_err());
        assert!(ClientFrame::parse(&with(&message, "extra", Value::Null)).is_err());
        for (field, value) in message.as_object().unwrap() {
            let inner = if value.is_array() { &value[0] } else { value };
            if inner.is_object() {
                let mut inner: Value =
                    serde_json::from_str(&with(inner, "extra", json!(1))).unwrap();
                if value.is_array() {
                    inner = json!([inner]);
                }
                let text = with(&message, field, inner);
                assert!(ClientFrame::parse(&text).is_err(), "{text}");
            }
        }
    }
}

/// Puts every other kind of value at every place of every message.
#[test]
fn a_value_of_another_type_is_refused_everywhere() {
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(4294967296u64),
        json!(1e300),
        json!("\u{0}"),
        json!([]),
        json!({}),
        json!(["offer", "v=0"]),
        json!({"camera": null}),
        json!([[]]),
    ];
    let mut refused = 0;
    for message in client_messages() {
        for (place, old) in places(&message) {
            for other in &others {
                let may_hold = match old {
                    Value::String(_) if is_text(&place) => other.is_string(),
                    Value::Bool(_) => other.is_boolean(),
                    Value::Array(_) => other == &json!([]),
                    Value::Number(_) if place == "/after" => other.is_u64(),
                    _ => false,
                };
                let is_optional = [
                    "/mid",
                    "/ownerKey",
                    "/stream",
                    "/candidate/sdpMid",
                    "/candidate/sdpMLineIndex",
                    "/candidate/usernameFragment",
                ]
                .contains(&place.as_str())
                    || (place == "/cause" && message["type"] == "strain")
                    || (place == "/after" && message["type"] == "ping");
                let mut changed = message.clone();
                *changed.pointer_mut(&place).unwrap() = other.clone();
                let parsed = ClientFrame::parse(&changed.to_string());
                let is_fine = may_hold || (is_optional && other.is_null());
                assert_eq!(parsed.is_ok(), is_fine, "{place} of {changed}: {parsed:?}");
                refused += usize::from(!is_fine);
            }
        }
    }
    assert!(refused > 300, "{refused}");
}

fn is_text(place: &str) -> bool {
    let last = place.rsplit('/').next().unwrap();
    ![
        "type", "source", "feed", "to", "member", "cause", "reaction", "state", "ownerKey",
    ]
    .contains(&last)
}

/// Every value inside a value, by JSON pointer.
fn places(value: &Value) -> Vec<(String, Value)> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, value)| (i.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    let mut all = Vec::new();
    for (name, child) in children {
        all.push((format!("/{name}"), child.clone()));
        let inner = places(child).into_iter();
        all.extend(inner.map(|(place, value)| (format!("/{name}{place}"), value)));
    }
    all
}

#[test]
fn a_field_too_few_is_refused() {
    let cases = [
        r#"{}"#,
        r#"{"id":1}"#,
        r#"{"type":"join","room":"r"}"#,
        r#"{"type":"signal","to":"0000000000001","epoch":1}"#,
        r#"{"type":"signal","to":"0000000000001","description":{"type":"offer"}}"#,
        r#"{"type":"signal","to":"0000000000001","epoch":1,"description":{"sdp":""}}"#,
        r#"{"type":"offer","sdp":"v=0"}"#,
        r#"{"type":"publish"}"#,
        r#"{"type":"mute","source":"camera"}"#,
        r#"{"type":"view"}"#,
        r#"{"type":"ready"}"#,
        r#"{"type":"chat"}"#,
        r#"{"type":"resume","room":"r","token":"t"}"#,
        r#"{"type":"pair","member":"0000000000001","epoch":1}"#,
        r#"{"type":"silence","member":"0000000000001","source":"camera"}"#,
        r#"{"type":"lock"}"#,
    ];
    for text in cases {
        assert!(ClientFrame::parse(text).is_err(), "{text}");
    }
}

#[test]
fn malformed_text_is_refused_and_the_id_is_kept_where_it_can_be_read() {
    let deep = format!(
        "{{\"type\":\"chat\",\"text\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let cases: &[(&str, Option<RequestId>)] = &[
        ("", None),
        ("null", None),
        ("[]", None),
        (r#"["ping"]"#, None),
        (r#""ping""#, None),
        ("{", None),
        (r#"{"type":"ping"} x"#, None),
        (r#"{"type":"ping"}{"type":"ping"}"#, None),
        (r#"{type:"ping"}"#, None),
        (r#"{"type":"ping",}"#, None),
        (r#"{"id":1,"id":2,"type":"ping"}"#, None),
        (r#"{"id":1,"type":"ping","type":"ping"}"#, None),
        (
            r#"{"id":1,"type":"view","wants":[{"member":"0000000000001","feed":"camera","feed":"camera","maxHeight":1}]}"#,
            None,
        ),
        (r#"{"id":-1,"type":"ping"}"#, None),
        (r#"{"id":1.0,"type":"ping"}"#, None),
        (r#"{"id":"1","type":"ping"}"#, None),
        (r#"{"id":null,"type":"ping"}"#, None),
        (r#"{"id":4294967296,"type":"ping"}"#, None),
        (r#"{"id":1e400,"type":"ping"}"#, None),
        (r#"{"id":5,"type":"ready","epoch":1e400}"#, None),
        (r#"{"id":5,"type":"chat","text":"\ud800"}"#, None),
        (r#"{"id":5,"type":"chat","text":"\udc00\ud800"}"#, None),
        ("{\"id\":5,\"type\":\"chat\",\"text\":\"\n\"}", None),
        (&deep, None),
        (r#"{"id":5}"#, Some(5)),
        (r#"{"id":5,"type":"dance"}"#, Some(5)),
        (r#"{"id":5,"type":"Ping"}"#, Some(5)),
        (r#"{"id":5,"type":{"ping":{}}}"#, Some(5)),
        (
            r#"{"id":5,"type":"ready","epoch":99999999999999999999999}"#,
            Some(5),
        ),
        (
            r#"{"id":5,"type":"signal","to":"1","epoch":1,"candidate":{"candidate":""}}"#,
            Some(5),
        ),
        (
            r#"{"id":5,"type":"signal","to":"0000000000001","epoch":1,"description":{"type":"rollback"}}"#,
            Some(5),
        ),
        (
            r#"{"id":5,"type":"signal","to":"0000000000001","epoch":1,"description":{"type":"offer"},"candidate":{"candidate":""}}"#,
            Some(5),
        ),
        (r#"{"id":5,"type":"ok"}"#, Some(5)),
    ];
    for (text, id) in cases {
        let error = ClientFrame::parse(text).expect_err(text);
        assert_eq!(error.id, *id, "{text}");
        assert!(!error.message.is_empty());
    }
}

#[test]
fn escaped_pairs_and_whitespace_are_fine() {
    let frame =
        ClientFrame::parse(" {\"type\" : \"chat\",\n\"text\":\"\\ud83d\\ude0a\"}\t").unwrap();
    let text = "\u{1F60A}".to_owned();
    assert_eq!(frame.message, ClientMessage::Chat { text });
}

#[test]
fn what_the_node_says_is_spelled_like_this() {
    let member = Member {
        id: MemberId(1),
        name: "Ada".into(),
        kind: MemberKind::Whip,
        role: Role::Owner,
        sfu_only: false,
        published: vec![Published {
            source: Source::Camera,
            stream: None,
            muted: true,
        }],
        silenced: vec![Source::Microphone],
        forwarded: vec![Source::Camera],
        hand_ms: Some(5),
        presence: Presence::Reconnecting,
        node: Reach::NoIce,
    };
    let member_json = json!({"id": SOMEONE, "name": "Ada", "kind": "whip", "role": "owner", "sfuOnly": false,
        "published": [{"source": "camera", "muted": true}], "silenced": ["microphone"],
        "forwarded": ["camera"], "handMs": 5, "presence": "reconnecting", "node": "noIce"});
    let resume = ResumeTicket {
        token: "t".into(),
        seconds: 60,
    };
    let rules = Rules {
        locked: true,
        lobby: false,
    };
    let knock = Knock {
        member: MemberId(1),
        name: "Ada".into(),
    };
    let exception = PathException {
        member: MemberId(1),
        path: PairPath::Node,
        reason: PathReason::PairFailed,
    };
    let exception_json = json!({"member": SOMEONE, "path": "node", "reason": "pairFailed"});
    let why = Why {
        cause: Cause::Few,
        member: None,
    };
    let strained = Why {
        cause: Cause::Uplink,
        member: Some(MemberId(1)),
    };
    let line = ChatLine {
        from: MemberId(1),
        name: "Ada".into(),
        text: "hi".into(),
        at_ms: 12,
    };
    let line_json = json!({"from": SOMEONE, "name": "Ada", "text": "hi", "atMs": 12});
    let end = Signal::Candidate(Candidate {
        candidate: String::new(),
        sdp_mid: None,
        sdp_m_line_index: None,
        username_fragment: None,
    });
    let chat_json =
        json!({"type": "chat", "from": SOMEONE, "name": "Ada", "text": "hi", "atMs": 12});
    let cases = [
        (ServerMessage::Ok { id: 3 }, json!({"type": "ok", "id": 3})),
        (
            ServerMessage::Error {
                id: None,
                code: ErrorCode::TooFast,
                message: "m".into(),
            },
            json!({"type": "error", "code": "tooFast", "message": "m"}),
        ),
        (
            ServerMessage::Joined {
                id: Some(1),
                you: MemberId(1),
                resume: resume.clone(),
                rules,
                waiting: vec![knock.clone()],
                members: vec![member.clone()],
                topology: Topology {
                    mode: Mode::Mesh,
                    epoch: 1,
                    switching: false,
                    why,
                },
                exceptions: vec![exception],
                ice_servers: vec![IceServer {
                    urls: vec!["stun:h".into()],
                    username: None,
                    credential: None,
                }],
                limits: ClientLimits {
                    message_bytes: 1,
                    sdp_bytes: 2,
                    seats: 3,
                    silence_seconds: 4,
                },
                history: vec![line.clone()],
                recording: Some(RecordingSign {
                    id: "r".into(),
                    since_ms: 5,
                    thinned: false,
                }),
            },
            json!({"type": "joined", "id": 1, "you": SOMEONE, "members": [member_json],
                "resume": {"token": "t", "seconds": 60}, "rules": {"locked": true, "lobby": false},
                "waiting": [{"member": SOMEONE, "name": "Ada"}],
                "topology": {"mode": "mesh", "epoch": 1, "switching": false, "why": {"cause": "few"}},
                "exceptions": [exception_json],
                "iceServers": [{"urls": ["stun:h"]}],
                "limits": {"messageBytes": 1, "sdpBytes": 2, "seats": 3, "silenceSeconds": 4},
                "history": [line_json], "recording": {"id": "r", "sinceMs": 5}}),
        ),
        (
            ServerMessage::IceServers {
                ice_servers: vec![IceServer {
                    urls: vec!["turn:h".into()],
                    username: Some("u".into()),
                    credential: Some("c".into()),
                }],
            },
            json!({"type": "iceServers",
                "iceServers": [{"urls": ["turn:h"], "username": "u", "credential": "c"}]}),
        ),
        (
            ServerMessage::Waiting {
                id: Some(1),
                you: MemberId(1),
            },
            json!({"type": "waiting", "id": 1, "you": SOMEONE}),
        ),
        (
            ServerMessage::Resumed {
                id: Some(1),
                resume,
                ice_servers: vec![],
            },
            json!({"type": "resumed", "id": 1, "resume": {"token": "t", "seconds": 60}, "iceServers": []}),
        ),
        (
            ServerMessage::Paths {
                epoch: 2,
                exceptions: vec![exception],
            },
            json!({"type": "paths", "epoch": 2, "exceptions": [exception_json]}),
        ),
        (
            ServerMessage::Rules(rules),
            json!({"type": "rules", "locked": true, "lobby": false}),
        ),
        (
            ServerMessage::Knocks {
                waiting: vec![knock],
            },
            json!({"type": "knocks", "waiting": [{"member": SOMEONE, "name": "Ada"}]}),
        ),
        (
            ServerMessage::Recording {
                recording: Some(RecordingSign {
                    id: "r".into(),
                    since_ms: 5,
                    thinned: false,
                }),
                ended: None,
            },
            json!({"type": "recording", "recording": {"id": "r", "sinceMs": 5}}),
        ),
        (
            ServerMessage::Recording {
                recording: Some(RecordingSign {
                    id: "r".into(),
                    since_ms: 5,
                    thinned: true,
                }),
                ended: None,
            },
            json!({"type": "recording", "recording": {"id": "r", "sinceMs": 5, "thinned": true}}),
        ),
        (
            ServerMessage::Recording {
                recording: None,
                ended: Some(RecordingEnd::DiskFull),
            },
            json!({"type": "recording", "ended": "diskFull"}),
        ),
        (
            ServerMessage::Reaction {
                from: MemberId(1),
                reaction: Reaction::Heart,
            },
            json!({"type": "reaction", "from": SOMEONE, "reaction": "heart"}),
        ),
        (
            ServerMessage::Member { member },
            json!({"type": "member", "member": member_json}),
        ),
        (
            ServerMessage::Left {
                member: MemberId(1),
                reason: Reason::Silent,
            },
            json!({"type": "left", "member": SOMEONE, "reason": "silent"}),
        ),
        (
            ServerMessage::Signal {
                from: MemberId(1),
                epoch: 2,
                signal: end,
            },
            json!({"type": "signal", "from": SOMEONE, "epoch": 2, "candidate": {"candidate": "",
                "sdpMid": null, "sdpMLineIndex": null, "usernameFragment": null}}),
        ),
        (
            ServerMessage::Answer {
                id: Some(2),
                sdp: "v=0".into(),
                epoch: 2,
            },
            json!({"type": "answer", "id": 2, "sdp": "v=0", "epoch": 2}),
        ),
        (
            ServerMessage::Seats {
                seats: vec![
                    None,
                    Some(Seat {
                        member: MemberId(1),
                        feed: Feed::Screen,
                    }),
                ],
            },
            json!({"type": "seats", "seats": [null, {"member": SOMEONE, "feed": "screen"}]}),
        ),
        (
            ServerMessage::Undecodable {
                pictures: vec![Undecodable {
                    member: MemberId(1),
                    feed: Feed::Camera,
                    codec: PictureCodec::H264High,
                }],
            },
            json!({"type": "undecodable", "pictures": [
                {"member": SOMEONE, "feed": "camera", "codec": "h264High"}]}),
        ),
        (
            ServerMessage::Encode {
                source: Source::Camera,
                codec: PictureCodec::Vp8,
            },
            json!({"type": "encode", "source": "camera", "codec": "vp8"}),
        ),
        (
            ServerMessage::Switch {
                mode: Mode::Sfu,
                epoch: 2,
                deadline_ms: 10_000,
                why: strained,
            },
            json!({"type": "switch", "mode": "sfu", "epoch": 2, "deadlineMs": 10_000,
                "why": {"cause": "uplink", "member": SOMEONE}}),
        ),
        (
            ServerMessage::Commit {
                mode: Mode::Sfu,
                epoch: 2,
                why,
                missing: Vec::new(),
            },
            json!({"type": "commit", "mode": "sfu", "epoch": 2, "why": {"cause": "few"}}),
        ),
        (
            ServerMessage::Rollback {
                mode: Mode::Mesh,
                epoch: 3,
                missing: vec![MemberId(1)],
            },
            json!({"type": "rollback", "mode": "mesh", "epoch": 3, "missing": [SOMEONE]}),
        ),
        (ServerMessage::Chat(line), chat_json),
        (
            ServerMessage::Speakers {
                members: vec![MemberId(1)],
            },
            json!({"type": "speakers", "members": [SOMEONE]}),
        ),
        (ServerMessage::Pong { id: None }, json!({"type": "pong"})),
        (
            ServerMessage::Draining { seconds: 20 },
            json!({"type": "draining", "seconds": 20}),
        ),
        (
            ServerMessage::Bye {
                reason: Reason::RoomClosed,
            },
            json!({"type": "bye", "reason": "roomClosed"}),
        ),
    ];
    for (message, mut expected) in cases {
        for seq in [None, Some(u64::MAX)] {
            let message = message.clone();
            let frame = ServerFrame { seq, message };
            if let Some(seq) = seq {
                expected["seq"] = seq.into();
            }
            let said: Value = serde_json::from_str(&frame.to_json()).unwrap();
            assert_eq!(said, expected);
            assert_eq!(serde_json::from_value::<ServerFrame>(said).unwrap(), frame);
            let event = Event::new(frame.message.clone());
            let text = seq.map_or(event.body(), |seq| numbered(&event.body(), seq));
            assert_eq!(text, frame.to_json());
            assert!(text.len() <= event.text_bytes(), "{text}");
        }
    }
}
