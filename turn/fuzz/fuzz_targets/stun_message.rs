//! Whatever the bytes: a message is walked without a panic, and its attributes lie inside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use motet_turn::stun::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::parse(bytes) else {
        return;
    };
    // A planted bug, to see that the corpus and the dictionary lead here.
    #[cfg(canary)]
    if let Some([0, 0, 0xBE, 0xEF]) = message.attribute(motet_turn::words::LIFETIME) {
        panic!("found");
    }
    let total: usize = message.attributes().map(|(_, value)| 4 + value.len()).sum();
    assert!(total <= bytes.len());
    message.integrity_fits(b"key");
    message.integrity_sha256_fits(b"key");
    message.fingerprint_fits();
    message.unknown_required(&[]);
});
