//! Members who come over HTTP: they have media and no words of their own.

use serde_json::json;

use super::harness::*;
use crate::ids::MemberId;
use crate::logic::room::{MediaFact, RoomInput};
use crate::protocol::client::{Feed, Source};
use crate::protocol::server::{MemberKind, PictureCodec, ServerMessage, Undecodable};

fn id(member: u64) -> MemberId {
    MemberId(member)
}

#[test]
fn a_publisher_over_http_moves_a_mesh_to_the_node_and_is_gone_with_their_media() {
    let mut table = Table::of(2);
    table.join_by(3, MemberKind::Whip);
    let told = table.heard(1).to_vec();
    assert_eq!(table.types_heard(1), ["switch", "member"]);
    let seen = serde_json::to_value(&told[1]).unwrap();
    assert_eq!(seen["member"]["kind"], "whip");
    assert_eq!(table.room.describe(table.now)["mode"], json!("sfu"));
    table.answered(3, 0);
    table.forget();

    let member = id(3);
    table.feed(RoomInput::Media(MediaFact::PeerDown { member }));
    assert_eq!(table.last(3)["reason"], "lost");
    assert!(
        !table.room.has(member),
        "nobody waits for them to come back"
    );
    assert_eq!(table.types_heard(1), ["left", "rollback"]);
    assert_eq!(table.room.describe(table.now)["mode"], json!("mesh"));
}

#[test]
fn who_speaks_for_themselves_stays_without_media() {
    let mut table = Table::of(2);
    table.answered(1, 0);
    let member = id(1);
    table.feed(RoomInput::Media(MediaFact::PeerDown { member }));
    assert!(table.room.has(member));
}

#[test]
fn who_cannot_decode_a_picture_is_told_and_who_could_send_another_is_asked() {
    let mut table = Table::of_publishers(5, 1);
    table.join_by(6, MemberKind::Whip);
    table.forget();
    let pictures = vec![Undecodable {
        member: id(6),
        feed: Feed::Camera,
        codec: PictureCodec::H264High,
    }];
    table.feed(RoomInput::Media(MediaFact::Undecodable {
        viewer: id(2),
        pictures: pictures.clone(),
    }));
    assert_eq!(table.heard(2), [ServerMessage::Undecodable { pictures }]);
    for member in [1, 6] {
        table.feed(RoomInput::Media(MediaFact::Decodable {
            member: id(member),
            source: Source::Camera,
            codec: PictureCodec::Vp8,
        }));
    }
    let asked = ServerMessage::Encode {
        source: Source::Camera,
        codec: PictureCodec::Vp8,
    };
    assert_eq!(table.heard(1), [asked]);
    assert_eq!(table.heard(6), [], "who publishes over HTTP has no ear");
}
