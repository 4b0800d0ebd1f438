//! Whatever the bytes and wherever they are cut: the same frames come out, none too long.
#![no_main]

use libfuzzer_sys::fuzz_target;
use motet_turn::stream::{Deframer, FRAME_BYTES_MAX};

fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut deframer = Deframer::new();
    let mut found = vec![];
    for piece in pieces {
        deframer.push(piece);
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => found.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
        assert!(deframer.pending() < FRAME_BYTES_MAX);
    }
    (found, false)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    if bytes.len() >= FRAME_BYTES_MAX {
        return;
    }
    let whole = frames(std::iter::once(bytes));
    // A planted bug, to see that the corpus and the dictionary lead here.
    #[cfg(canary)]
    if whole.0.len() == 3 && whole.0[1].starts_with(&[0x40, 0x07]) {
        panic!("found");
    }
    assert_eq!(frames(bytes.chunks(usize::from(*cut).max(1))), whole);
    assert!(whole.0.iter().all(|frame| frame.len() % 4 == 0));
});
