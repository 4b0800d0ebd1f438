//! What gives first when a shard cannot keep up (docs/overload.md): pictures do, and sound goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[allow(dead_code, unreachable_pub)]
#[path = "sim/connection.rs"]
mod connection;
#[allow(dead_code, unreachable_pub)]
#[path = "sim/light.rs"]
mod light;
#[allow(dead_code, unreachable_pub)]
#[path = "sim/media.rs"]
mod media;
#[allow(dead_code, unreachable_pub)]
#[path = "sim/node.rs"]
mod node;
#[allow(dead_code, unreachable_pub)]
#[path = "../benches/support/room.rs"]
mod room;

use std::time::Duration;

use light::Profile;
use room::Room;

const VIEWERS: usize = 3;

/// How many copies of one packet of sound and of one frame of picture go out, the frame being one that decodes on
/// its own.
fn carried(room: &mut Room) -> (usize, usize) {
    room.now += Duration::from_millis(20);
    let sound = room.seal_sound();
    let heard = room.forward(&sound);
    room.want_key();
    let frame = room.seal(1);
    let seen = frame
        .iter()
        .map(|packet| room.forward(packet))
        .sum::<usize>();
    (heard, seen / frame.len())
}

/// The shard looks at its sockets every 10 ms.
fn looks(room: &mut Room, time: Duration, is_behind: bool) {
    let end = room.now + time;
    while room.now < end {
        room.now += Duration::from_millis(10);
        room.look(is_behind);
    }
}

#[test]
fn sound_goes_on_while_pictures_do_not_and_they_come_back() {
    let mut room = Room::with_sound(VIEWERS, Profile::Gcm, 1_100);
    assert_eq!(carried(&mut room), (VIEWERS, VIEWERS));
    looks(&mut room, Duration::from_millis(400), true);
    assert_eq!(room.relief(), 1);
    // Its only layer is the lowest.
    assert_eq!(carried(&mut room), (VIEWERS, VIEWERS));
    looks(&mut room, Duration::from_millis(2_000), true);
    assert_eq!(room.relief(), 2);
    assert_eq!(carried(&mut room), (VIEWERS, 0));
    looks(&mut room, Duration::from_millis(5_000), true);
    assert_eq!(carried(&mut room), (VIEWERS, 0));
    looks(&mut room, Duration::from_secs(5), false);
    assert_eq!(room.relief(), 0);
    assert_eq!(carried(&mut room), (VIEWERS, VIEWERS));
}
