//! Whatever the bytes: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use motet_turn::channel_data::{ChannelData, HEADER_LEN, header};

fuzz_target!(|bytes: &[u8]| {
    let Some(data) = ChannelData::parse(bytes) else {
        return;
    };
    // A planted bug, to see that the corpus and the dictionary lead here.
    #[cfg(canary)]
    if data.channel == 0x4ABC && data.payload.len() == 7 {
        panic!("found");
    }
    assert_eq!(header(data.channel, data.payload.len()).as_ref(), bytes.first_chunk());
    assert!(bytes.len() - data.payload.len() - HEADER_LEN <= 3);
});
