//! The answerer's rules, by offers made up for each.

use motet::media::sdp::{AnswerError, Refusal, SEATS_MAX};

use crate::connection::{Connection, FINGERPRINT, MUXED_OPUS, made_up, opus};

#[test]
fn a_single_line_needs_neither_mid_nor_bundle() {
    let offer = made_up("", &[&format!("audio 9 RTP/SAVPF 111\n{MUXED_OPUS}")]);
    let mut connection = Connection::new();
    let expected = [": publish Audio Opus 111 | |"];
    assert_eq!(connection.offer(&offer).unwrap(), expected);
    assert!(!connection.answer.contains("BUNDLE") && !connection.answer.contains("a=mid"));
    assert_eq!(connection.offer(&offer).unwrap(), expected);
}

#[test]
fn lines_that_cannot_be_used_are_refused_one_by_one() {
    let good = opus("0", "");
    let refused = |line: &str| {
        let offer = made_up("a=group:BUNDLE 0 1\n", &[&good, line]);
        let words = Connection::new().offer(&offer).unwrap();
        words[1].strip_prefix("1: refused ").unwrap().to_owned()
    };
    assert_eq!(refused(&opus("1", "").replace(" 9 ", " 0 ")), "Stopped");
    assert_eq!(refused(&opus("1", "").replace("SAVPF", "AVPF")), "Protocol");
    assert_eq!(
        refused(&opus("1", "").replace("a=rtcp-mux\n", "")),
        "NoRtcpMux"
    );
    assert_eq!(refused(&opus("1", "").replace("opus", "G722")), "NoCodec");
    assert_eq!(
        refused("application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1"),
        "NotMedia"
    );
    let apart = made_up("a=group:BUNDLE 0\n", &[&good, &opus("1", "")]);
    assert_eq!(
        Connection::new().offer(&apart).unwrap()[1],
        "1: refused NotBundled"
    );
}

#[test]
fn offers_that_cannot_be_answered_are_refused_with_a_reason() {
    let group = "a=group:BUNDLE 0 1\n";
    let (zero, one) = (opus("0", ""), opus("1", ""));
    let seats: Vec<String> = (0..=SEATS_MAX)
        .map(|mid| opus(&mid.to_string(), "a=recvonly\n"))
        .collect();
    let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
    let all = format!(
        "a=group:BUNDLE {}\n",
        Vec::from_iter((0..=SEATS_MAX).map(|mid| mid.to_string())).join(" ")
    );
    let cases = [
        (made_up("", &[&zero, &one]), AnswerError::NoBundle),
        (
            made_up(group, &[&zero, &zero]),
            AnswerError::DuplicateMid("0".into()),
        ),
        (
            made_up(group, &[&zero, &one.replace("a=mid:1\n", "")]),
            AnswerError::NoMid { index: 1 },
        ),
        (
            made_up(group, &[&zero.replace("opus", "G722")]),
            AnswerError::NothingUsable(Refusal::NoCodec),
        ),
        (
            made_up(group, &[&zero.replace(" 9 ", " 0 ")]),
            AnswerError::NothingUsable(Refusal::Stopped),
        ),
        (
            made_up(group, &[&zero]).replace("ice-ufrag", "x"),
            AnswerError::NoIceCredentials,
        ),
        (
            made_up(group, &[&zero]).replace("fingerprint", "x"),
            AnswerError::NoFingerprint,
        ),
        (made_up(&all, &seats), AnswerError::TooManySeats),
        (made_up("", &[]), AnswerError::NoMedia),
        ("v=0\n".into(), AnswerError::NoMedia),
    ];
    for (offer, expected) in cases {
        assert_eq!(Connection::new().offer(&offer), Err(expected), "{offer}");
    }
    let bad_mid = made_up("", &[&zero.replace("mid:0", "mid:a b")]);
    assert!(matches!(
        Connection::new().offer(&bad_mid),
        Err(AnswerError::Syntax { line: 5, .. })
    ));
}

#[test]
fn a_later_offer_continues_the_connection() {
    let group = "a=group:BUNDLE 0 1\n";
    let first = made_up(group, &[&opus("0", ""), &opus("1", "a=recvonly\n")]);
    let cut = |word: &str| word.split(" | ").next().unwrap().to_owned();
    let offer_next = |offer: &str| {
        let mut connection = Connection::new();
        connection.offer(&first).unwrap();
        let outcome = connection.offer(offer);
        outcome.map(|words| words.iter().map(|word| cut(word)).collect())
    };
    let words = |words: [&str; 2]| Ok(Vec::from(words.map(str::to_owned)));
    let lines = |first: &str, second: &str| {
        made_up(
            group,
            &[
                &opus("0", &format!("a={first}\n")),
                &opus("1", &format!("a={second}\n")),
            ],
        )
    };
    // What a line is, it stays, whichever way the client turns it.
    let expected = words(["0: publish Audio Opus 111", "1: seat 0 Audio Opus 111"]);
    assert_eq!(offer_next(&lines("sendonly", "sendrecv")), expected);
    let expected = words([
        "0: publish inactive Audio Opus 111",
        "1: seat 0 inactive Audio Opus 111",
    ]);
    assert_eq!(offer_next(&lines("recvonly", "sendonly")), expected);
    assert_eq!(offer_next(&lines("inactive", "inactive")), expected);
    let one = made_up(group, &[&opus("0", "")]);
    assert_eq!(
        offer_next(&one),
        Err(AnswerError::LinesChanged { index: 1 })
    );
    let swapped = made_up(group, &[&opus("1", ""), &opus("0", "")]);
    assert_eq!(
        offer_next(&swapped),
        Err(AnswerError::LinesChanged { index: 0 })
    );
    let other = first.replace(FINGERPRINT, &FINGERPRINT.replace("AA", "AB"));
    assert_eq!(offer_next(&other), Err(AnswerError::OtherFingerprint));
}

#[test]
fn a_line_inactive_from_the_start_is_open_until_it_is_used() {
    let offer = |direction: &str| made_up("", &[&opus("0", &format!("a={direction}\n"))]);
    let mut connection = Connection::new();
    for _ in 0..2 {
        assert_eq!(
            connection.offer(&offer("inactive")).unwrap(),
            ["0: inactive Audio"]
        );
    }
    assert_eq!(
        connection.offer(&offer("recvonly")).unwrap(),
        ["0: seat 0 Audio Opus 111 | |"]
    );
    let ssrcs = connection.seat_ssrcs();
    let inactive = ["0: seat 0 inactive Audio Opus 111 | |"];
    assert_eq!(connection.offer(&offer("inactive")).unwrap(), inactive);
    assert_eq!(
        connection.offer(&offer("recvonly")).unwrap(),
        ["0: seat 0 Audio Opus 111 | |"]
    );
    assert_eq!(connection.seat_ssrcs(), ssrcs);
}
