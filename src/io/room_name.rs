//! Names for rooms that nobody named.

use rand::Rng;

const FIRST: [&str; 32] = [
    "amber", "blue", "bold", "bright", "calm", "clear", "cool", "crisp", "deep", "early", "fair",
    "fresh", "gentle", "gold", "grand", "green", "keen", "kind", "light", "lively", "mellow",
    "merry", "mild", "quick", "quiet", "rosy", "silver", "soft", "still", "sunny", "warm", "wide",
];

const SECOND: [&str; 32] = [
    "alto", "aria", "ballad", "bass", "bell", "canon", "cello", "chant", "choir", "chord", "coda",
    "drum", "duet", "fiddle", "flute", "fugue", "harp", "horn", "hymn", "lute", "lyre", "oboe",
    "octave", "organ", "piano", "reed", "rondo", "sonata", "tempo", "tenor", "treble", "viola",
];

/// Characters that are not taken for one another.
const TAIL: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// A name that can be read out, and that nobody guesses (about 50 bits): `calm-fugue-x7k2m9qp`.
pub fn random_room_name() -> String {
    let mut random = rand::rng();
    let first = FIRST[random.random_range(0..FIRST.len())];
    let second = SECOND[random.random_range(0..SECOND.len())];
    let tail: String = (0..8)
        .map(|_| char::from(TAIL[random.random_range(0..TAIL.len())]))
        .collect();
    format!("{first}-{second}-{tail}")
}
