//! The synthetic media itself.

use crate::media::{Camera, Microphone, Stamp, Vp8, read_opus};

#[test]
fn a_sink_reads_what_a_camera_writes() {
    let mut camera = Camera::new(7, 1, 1234, 96, 0x7fff);
    let key = camera.frame(3000);
    let delta = camera.frame(3000);
    let read: Vec<Vp8> = key.iter().map(|p| Vp8::read(&p.payload).unwrap()).collect();
    assert_eq!(read.len(), 3);
    assert!(
        read.iter()
            .all(|part| part.stamp.key && part.picture_id == 0x7fff)
    );
    assert_eq!(read[2].stamp, Stamp::new(7, 1, 0, 2, 3, true));
    let next = Vp8::read(&delta[0].payload).unwrap();
    assert_eq!((next.picture_id, next.stamp.key), (0, false));
    assert!(key[2].header.marker && !key[0].header.marker);
    assert_eq!(Vp8::read(&key[0].payload[1..]), None);
}

#[test]
fn a_sink_reads_what_a_microphone_writes() {
    let mut microphone = Microphone::new(9, 55, 111, 65_535);
    assert_eq!(
        read_opus(&microphone.packet(960).payload)
            .unwrap()
            .publisher,
        9
    );
    let second = microphone.packet(960);
    assert_eq!(second.header.sequence_number, 0);
    assert_eq!(read_opus(&second.payload).unwrap().frame, 1);
}
