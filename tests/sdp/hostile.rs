//! Offers of nobody: hostile, mutated, random.

use std::time::{Duration, Instant};

use motet::media::sdp::{AnswerError, answer};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::connection::{
    Connection, DIRECTIONS, MUXED_OPUS, candidates, fixture, fixtures, local, made_up, opus,
};

/// Each of these is as long as an offer may be; none may take more than linear time. The limit is
/// far above the milliseconds that they take, and far below what quadratic time would.
#[test]
fn hostile_offers_take_linear_time() {
    // As much as an offer may hold, in bytes or in lines.
    let numbered = |make: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for number in 0.. {
            let piece = make(number);
            let lines = if piece.ends_with('\n') { number } else { 0 };
            if text.len() + piece.len() > 250 * 1024 || lines > 16_000 {
                break;
            }
            text += &piece;
        }
        text
    };
    let many = |piece: &str| numbered(&|_| piece.to_owned());
    let line = opus(
        "0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\n\
        a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n",
    );
    let long_formats = format!(
        "audio 9 UDP/TLS/RTP/SAVPF {}\n{MUXED_OPUS}",
        numbered(&|n| format!("{} ", n % 300))
    );
    let layers = numbered(&|n| format!("{n};"));
    let rids = numbered(&|n| format!("a=rid:{n} send\n"));
    let half = |text: &str| {
        text[..text.len() / 2]
            .rsplit_once(['\n', ';'])
            .unwrap()
            .0
            .to_owned()
    };
    let attributes = [
        many("a=x\n"),
        many("a=ssrc:1 x\n"),
        numbered(&|n| format!("a=ssrc:{n} cname:x\n")),
        numbered(&|n| format!("a=ssrc-group:FID {n} {}\n", n + 1)),
        format!("a=ssrc-group:FID {}\n", numbered(&|n| format!("{n} "))),
        numbered(&|n| format!("a=rtpmap:{} opus/48000/2\n", n % 128)),
        format!("a=fmtp:111 {}\n", many("a=b;")),
        many("a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\n"),
        format!("a=simulcast:send {}\n{}\n", half(&layers), half(&rids)),
        many("a=rtcp-fb:* nack\n"),
        many("a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n"),
    ];
    let mut offers: Vec<String> = attributes
        .iter()
        .map(|rest| made_up("", &[&format!("{line}{rest}")]))
        .collect();
    offers.push(made_up("", &[&long_formats]));
    let small: Vec<String> = (0..64)
        .map(|mid| opus(&mid.to_string(), "a=sendonly\n"))
        .collect();
    let small: Vec<&str> = small.iter().map(String::as_str).collect();
    let budget = 200 * 1024;
    offers.push(made_up(
        &format!(
            "a=group:BUNDLE {}\n",
            &numbered(&|n| format!("{n} "))[..budget]
        ),
        &small,
    ));
    let inherited = many("a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\n");
    let inherited = inherited[..budget].rsplit_once('\n').unwrap().0;
    offers.push(made_up(&format!("a=group:BUNDLE 0\n{inherited}\n"), &small));
    for (number, offer) in offers.iter().enumerate() {
        let candidates = candidates();
        let start = Instant::now();
        let outcome = answer(
            offer,
            &local(&candidates),
            None,
            &mut StdRng::seed_from_u64(1),
        );
        let took = start.elapsed();
        assert!(
            took < Duration::from_millis(500),
            "number {number} took {took:?}"
        );
        assert!(
            !matches!(
                outcome,
                Err(AnswerError::Syntax { .. } | AnswerError::TooLong)
            ),
            "number {number}: {outcome:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever becomes of a golden offer, its answer is sound or it is refused.
    #[test]
    fn mutated_offers_are_answered_soundly_or_refused(
        pick in any::<prop::sample::Index>(),
        first in prop::collection::vec(mutation(), 0..12),
        later in prop::collection::vec(mutation(), 0..12),
    ) {
        let names = fixtures();
        let offer = fixture(&names[pick.index(names.len())]);
        let mut connection = Connection::new();
        let _ = connection.offer(&mutate(&offer, &first));
        let _ = connection.offer(&mutate(&offer, &later));
    }

    #[test]
    fn random_text_is_refused(text in "(v=0\n)?((m|a|.)=?.{0,40}\n){0,20}") {
        prop_assert!(Connection::new().offer(&text).is_err());
    }
}

#[derive(Debug, Clone)]
enum Mutation {
    Delete(prop::sample::Index),
    Double(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index),
    Replace(prop::sample::Index, String),
    Number(prop::sample::Index, u64),
    Turn(prop::sample::Index, &'static str),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = || any::<prop::sample::Index>();
    prop_oneof![
        8 => index().prop_map(Mutation::Delete),
        4 => index().prop_map(Mutation::Double),
        4 => (index(), index()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        1 => index().prop_map(Mutation::Cut),
        2 => (index(), ".{0,20}").prop_map(|(line, text)| Mutation::Replace(line, text)),
        4 => (index(), any::<u64>()).prop_map(|(line, number)| Mutation::Number(line, number)),
        4 => (index(), prop::sample::select(&DIRECTIONS[..])).prop_map(|(line, way)| Mutation::Turn(line, way)),
    ]
}

fn mutate(offer: &str, mutations: &[Mutation]) -> String {
    let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
    for mutation in mutations {
        if lines.len() < 3 {
            break;
        }
        let count = lines.len();
        match mutation {
            Mutation::Delete(line) => drop(lines.remove(line.index(count))),
            Mutation::Double(line) => {
                let line = line.index(count);
                lines.insert(line, lines[line].clone());
            }
            Mutation::Swap(one, other) => lines.swap(one.index(count), other.index(count)),
            Mutation::Cut(line) => lines.truncate(line.index(count).max(3)),
            Mutation::Replace(line, text) => {
                let line = &mut lines[line.index(count)];
                let kept: String = line.chars().take(line.len() / 2).collect();
                *line = kept + text;
            }
            Mutation::Number(line, number) => change_number(&mut lines[line.index(count)], *number),
            Mutation::Turn(line, way) => {
                let section = line.index(count);
                let turned = lines[section..]
                    .iter_mut()
                    .find(|line| line.ends_with("only"));
                if let Some(line) = turned {
                    *line = format!("a={way}");
                }
            }
        }
    }
    lines.join("\r\n")
}

/// Replaces the first number of a line.
fn change_number(line: &mut String, number: u64) {
    let is_digit = |character: char| character.is_ascii_digit();
    if let Some(start) = line.find(is_digit) {
        let rest = line[start..].trim_start_matches(is_digit).to_owned();
        // Small numbers hit others of the offer, large ones no type.
        let number = if number.is_multiple_of(2) {
            number % 130
        } else {
            number
        };
        *line = format!("{}{number}{rest}", &line[..start]);
    }
}
