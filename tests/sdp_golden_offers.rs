//! Offers of real clients, answered: what was agreed on, line by line, and what holds of every
//! answer. Also offers of nobody: mutated, hostile, random.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "sdp/connection.rs"]
mod connection;
#[path = "sdp/hostile.rs"]
mod hostile;
#[path = "sdp/rules.rs"]
mod rules;

use std::io::Cursor;

use motet::media::fingerprint::HashFunction;
use motet::media::sdp::{AnswerError, SeatLine};
use rtc_sdp::description::session::SessionDescription;

use connection::{Connection, FINGERPRINT, fixture, fixtures, sections};

/// What a browser calls things: the words that every line of its offers comes to.
struct Browser {
    sound: &'static str,
    picture: &'static str,
    /// More of H264 that it would receive.
    profiles: &'static str,
    /// Extensions and feedback of a published picture, and of a seat.
    sent: &'static str,
    received: &'static str,
}

const CHROMIUM: Browser = Browser {
    sound: "Audio Opus 111 Red 63 | Mid 4 AudioLevel 1 TransportSequence 3 AbsSendTime 2 | twcc",
    picture: "Video Vp8 96+97 Vp9 98+99 H264 108+109 Av1 45+46",
    profiles: " H264Main 116+117 H264High 41+42",
    sent: "Mid 4 Rid 10 RepairedRid 11 TransportSequence 3 AbsSendTime 2 DependencyDescriptor 12 \
           | nack pli fir twcc",
    received: "Mid 4 TransportSequence 3 AbsSendTime 2 DependencyDescriptor 12 \
               | nack pli fir twcc",
};

const FIREFOX: Browser = Browser {
    sound: "Audio Opus 109 | Mid 3 AudioLevel 1 TransportSequence 7 | twcc",
    picture: "Video Vp8 120+124 Vp9 121+125 Av1 99+100",
    profiles: "",
    sent: "Mid 3 Rid 9 RepairedRid 10 TransportSequence 7 AbsSendTime 4 DependencyDescriptor 8 \
           | nack pli fir twcc",
    received: "Mid 3 TransportSequence 7 AbsSendTime 4 | nack pli fir twcc",
};

impl Browser {
    fn sound(&self, mid: u16, ssrc: u32) -> String {
        format!("{mid}: publish {} | ssrc {ssrc}", self.sound)
    }

    fn picture(&self, mid: u16, streams: &str) -> String {
        format!(
            "{mid}: publish {} | {} | {streams}",
            self.picture, self.sent
        )
    }

    /// Both halves of a seat, on neighbouring m-lines.
    fn seat(&self, mid: u16, seat: u16) -> [String; 2] {
        let (video, picture, received) = (mid + 1, self.picture, self.received);
        let profiles = self.profiles;
        [
            format!("{mid}: seat {seat} {}", self.sound),
            format!("{video}: seat {seat}+rtx {picture}{profiles} | {received}"),
        ]
    }

    /// Seats from 0 on, their lines following each other from `mid`.
    fn seats(&self, mid: u16, count: u16) -> Vec<String> {
        (0..count)
            .flat_map(|seat| self.seat(mid + 2 * seat, seat))
            .collect()
    }
}

#[test]
fn browsers_with_many_seats() {
    let firefox_8 = "layers q h f | ssrc 357203648+2235356697 | ssrc 495669536+2971148979 \
                     | ssrc 162874317+207906993";
    let firefox_25 = "layers q h f | ssrc 3071909168+4250240142 | ssrc 1243183173+4044753076 \
                      | ssrc 479034800+3203663463";
    let cases = [
        (
            CHROMIUM,
            "chromium-156-seats-8.sdp",
            4148575286,
            "layers q h f",
            "ssrc 1826973500+900159380",
            8,
        ),
        (
            CHROMIUM,
            "chromium-156-seats-25.sdp",
            2482629085,
            "layers q h f",
            "ssrc 1290721391+355819031",
            25,
        ),
        (
            FIREFOX,
            "firefox-esr-153-seats-8.sdp",
            2180256484,
            firefox_8,
            "ssrc 557880762+1472216077",
            8,
        ),
        (
            FIREFOX,
            "firefox-esr-153-seats-25.sdp",
            84991688,
            firefox_25,
            "ssrc 1703871095+1426893905",
            25,
        ),
    ];
    for (browser, name, microphone, camera, screen, seats) in cases {
        let mut expected = vec![
            browser.sound(0, microphone),
            browser.picture(1, camera),
            browser.picture(2, screen),
        ];
        expected.extend(browser.seats(3, seats));
        expected.push(format!("{}: refused NotMedia", 3 + 2 * seats));
        assert_eq!(
            Connection::new().offer(&fixture(name)).unwrap(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn the_life_of_a_chromium_connection() {
    let camera = CHROMIUM.picture(1, "layers q h f");
    let inactive = camera.replace("publish", "publish inactive");
    // Nothing is sent that would have to be decoded.
    let inactive = inactive.replace("Av1 45+46", "Av1 45+46 H264Main 116+117");
    let published = [
        CHROMIUM.sound(0, 3904217580),
        camera,
        CHROMIUM.picture(2, "ssrc 3887723843+1843538001"),
        CHROMIUM.sound(3, 193884021),
    ];
    live(
        &CHROMIUM,
        "chromium-156-life",
        published.clone(),
        inactive,
        published,
    );
}

#[test]
fn the_life_of_a_firefox_connection() {
    let screen = FIREFOX.picture(2, "ssrc 3386001217+1014973547");
    let published = |camera: &str| {
        [
            FIREFOX.sound(0, 539711648),
            FIREFOX.picture(1, camera),
            screen.clone(),
            FIREFOX.sound(3, 3631578168),
        ]
    };
    let first = published(
        "layers q h f | ssrc 956818574+3402676868 | ssrc 2679475896+2598861520 \
         | ssrc 2667341398+1880969540",
    );
    let inactive = FIREFOX
        .picture(1, "ssrc 956818574")
        .replace("publish", "publish inactive");
    // Firefox offers no layers any more once the line was inactive.
    let back = published("ssrc 956818574+3402676868");
    live(&FIREFOX, "firefox-esr-153-life", first, inactive, back);
}

/// A connection whose camera and one seat go inactive and come back, that gets two more seats,
/// stops one, uses its m-lines for another and restarts ICE.
fn live(
    browser: &Browser,
    name: &str,
    published: [String; 4],
    camera_inactive: String,
    published_later: [String; 4],
) {
    let step = |step: &str| fixture(&format!("{name}-{step}.sdp"));
    let mut connection = Connection::new();
    let lines =
        |published: &[String; 4], seats| [&published[..], &browser.seats(4, seats)].concat();

    let expected = lines(&published, 4);
    assert_eq!(connection.offer(&step("1-first")).unwrap(), expected);
    let seats = connection.seat_ssrcs();

    let mut expected = expected;
    expected[1] = camera_inactive;
    expected[7] = expected[7].replace("+rtx ", "+rtx inactive ");
    for _ in 0..2 {
        assert_eq!(connection.offer(&step("2-inactive")).unwrap(), expected);
        assert_eq!(
            connection.seat_ssrcs(),
            seats,
            "an inactive seat stays what it was"
        );
    }

    assert_eq!(
        connection.offer(&step("3-back")).unwrap(),
        lines(&published_later, 4)
    );
    assert_eq!(connection.seat_ssrcs(), seats);

    let mut expected = lines(&published_later, 6);
    assert_eq!(connection.offer(&step("4-six-seats")).unwrap(), expected);
    let more_seats = connection.seat_ssrcs();
    assert_eq!(
        more_seats[..8],
        seats,
        "old seats are not touched by new ones"
    );

    expected[8] = "8: refused Stopped".into();
    expected[9] = "9: refused Stopped".into();
    assert_eq!(connection.offer(&step("5-stopped")).unwrap(), expected);

    expected[8..10].clone_from_slice(&browser.seat(16, 2));
    assert_eq!(connection.offer(&step("6-recycled")).unwrap(), expected);
    let recycled = connection.seat_ssrcs();
    assert_eq!(
        (&recycled[..4], &recycled[6..]),
        (&more_seats[..4], &more_seats[6..])
    );
    assert!(
        recycled[4..6].iter().all(|new| !more_seats.contains(new)),
        "a new line, new SSRCs"
    );

    assert!(!connection.restarts_ice(&step("6-recycled")));
    assert!(connection.restarts_ice(&step("7-restart")));
    let before = connection.negotiated.clone().unwrap();
    assert_eq!(connection.offer(&step("7-restart")).unwrap(), expected);
    assert!(connection.negotiated.clone().unwrap().is_restart(&before));
    assert_eq!(connection.seat_ssrcs(), recycled);
    let origin = connection.answer.lines().nth(1).unwrap();
    assert_eq!(
        origin.split(' ').nth(2),
        Some("8"),
        "the eighth answer of one session"
    );
}

#[test]
fn clients_that_are_no_browsers() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "aiortc-1.16-publish.sdp",
            &[
                "0: publish Audio Opus 96 | Mid 1 AudioLevel 2 | | ssrc 425402599",
                "1: publish Video Vp8 97+98 H264 101+102 | Mid 1 AbsSendTime 3 | nack pli remb \
                 | ssrc 710258389+3330973450",
            ],
        ),
        (
            "aiortc-1.16-view.sdp",
            &[
                "0: seat 0 Audio Opus 96 | Mid 1 AudioLevel 2 |",
                "1: seat 0+rtx Video Vp8 97+98 H264 101+102 | Mid 1 AbsSendTime 3 | nack pli remb",
            ],
        ),
        (
            "gstreamer-1.22-vp8.sdp",
            &[
                "video0: publish Video Vp8 96 | | pli fir | ssrc 4175827686",
                "audio1: publish Audio Opus 111 | | | ssrc 668000381",
            ],
        ),
        (
            "gstreamer-1.22-h264.sdp",
            &[
                "video0: publish Video H264 97 | | pli fir | ssrc 2327808767",
                "audio1: publish Audio Opus 111 | | | ssrc 2038458484",
            ],
        ),
        (
            "ffmpeg-9.0.2-whip-active.sdp",
            &[
                "0: publish Audio Opus 111 | | | ssrc 562520849",
                "1: publish Video H264 106+105 | | nack | ssrc 562520850+562520851",
            ],
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(
            Connection::new().offer(&fixture(name)).unwrap(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn a_client_that_insists_on_being_the_dtls_server_is_told_so() {
    let refused = Connection::new().offer(&fixture("ffmpeg-9.0.2-whip-passive.sdp"));
    assert_eq!(refused, Err(AnswerError::Setup("passive".into())));
}

#[test]
fn the_client_is_known_by_its_credentials_and_strongest_fingerprint() {
    let mut connection = Connection::new();
    connection
        .offer(&fixture("aiortc-1.16-publish.sdp"))
        .unwrap();
    let remote = connection.negotiated.clone().unwrap().remote;
    assert_eq!(
        (&*remote.ufrag, &*remote.password),
        ("YNge", "I1uxqSGNi3lX8K7lcjVOxW")
    );
    assert_eq!(remote.fingerprint.function, HashFunction::Sha512);
    assert!(
        remote
            .fingerprint
            .to_string()
            .starts_with("sha-512 EB:55:BB:39:")
    );
    connection.negotiated = None;
    connection
        .offer(&fixture("firefox-esr-153-seats-8.sdp"))
        .unwrap();
    let remote = connection.negotiated.unwrap().remote;
    assert_eq!((&*remote.ufrag, remote.password.len()), ("9f5b1cf9", 32));
    assert!(
        remote
            .fingerprint
            .to_string()
            .starts_with("sha-256 A3:21:F5:F9:")
    );
}

/// An answer in full, as a reader of the code would want to see one.
#[test]
fn an_answer_in_full() {
    let mut connection = Connection::new();
    connection.offer(&fixture("aiortc-1.16-view.sdp")).unwrap();
    let seats: Vec<SeatLine> = connection
        .negotiated
        .clone()
        .unwrap()
        .seat_lines()
        .cloned()
        .collect();
    let (audio, video) = (seats[0].ssrc, seats[1].ssrc);
    let rtx = seats[1].rtx_ssrc.unwrap();
    let transport = format!(
        "a=ice-ufrag:ours\na=ice-pwd:0123456789abcdefghijkl\n\
         a=fingerprint:sha-256 {FINGERPRINT}\na=setup:passive\n"
    );
    let expected = format!(
        "s=-\nt=0 0\na=group:BUNDLE 0 1\na=ice-lite\na=msid-semantic:WMS *\n\
         m=audio 3478 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 192.0.2.1\n\
         a=candidate:1 1 udp 1912602623 192.0.2.1 3478 typ host\n\
         a=candidate:2 1 udp 1912602367 2001:db8::1 3478 typ host\na=end-of-candidates\n\
         {transport}a=mid:0\na=rtcp-mux\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\n\
         a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n\
         a=sendonly\na=msid:seat-0 seat-0-audio\n\
         a=rtpmap:96 opus/48000/2\na=fmtp:96 minptime=10;useinbandfec=1\n\
         a=ssrc:{audio} cname:seat-0\n\
         m=video 3478 UDP/TLS/RTP/SAVPF 97 98 101 102\nc=IN IP4 192.0.2.1\n\
         {transport}a=mid:1\na=rtcp-mux\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\n\
         a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\n\
         a=sendonly\na=msid:seat-0 seat-0-video\n\
         a=rtpmap:97 VP8/90000\na=rtcp-fb:97 goog-remb\na=rtcp-fb:97 nack\na=rtcp-fb:97 nack pli\n\
         a=rtpmap:98 rtx/90000\na=fmtp:98 apt=97\n\
         a=rtpmap:101 H264/90000\na=rtcp-fb:101 goog-remb\na=rtcp-fb:101 nack\n\
         a=rtcp-fb:101 nack pli\n\
         a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\n\
         a=rtpmap:102 rtx/90000\na=fmtp:102 apt=101\n\
         a=ssrc-group:FID {video} {rtx}\na=ssrc:{video} cname:seat-0\na=ssrc:{rtx} cname:seat-0\n"
    );
    let lines: Vec<&str> = connection.answer.split("\r\n").skip(2).collect();
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn extension_directions_are_answered_from_the_other_end() {
    let mut connection = Connection::new();
    // Of what Firefox would only receive we know nothing.
    let offer =
        fixture("firefox-esr-153-seats-8.sdp").replace("/playout-delay", "/abs-capture-time");
    connection.offer(&offer).unwrap();
    let answered = sections(&connection.answer);
    let said = |line: usize, id: &str| {
        let values = answered[line].values("extmap").into_iter();
        values
            .filter_map(|value| value.split(' ').next())
            .find(|value| value.starts_with(id))
            .map(str::to_owned)
    };
    assert_eq!(
        said(2, "9/"),
        Some("9/recvonly".into()),
        "the client sends rid"
    );
    assert_eq!(said(2, "6/"), None, "it would only receive this");
    assert_eq!(said(5, "6/"), Some("6/sendonly".into()), "on a seat it may");
    assert_eq!(
        said(5, "8/"),
        None,
        "it would only send the dependency descriptor"
    );
    assert_eq!(said(5, "3"), Some("3".into()));
}

/// An independent reader takes the answers to all golden offers.
#[test]
fn answers_can_be_read_by_others() {
    let mut answered = 0;
    for name in fixtures() {
        let mut connection = Connection::new();
        if connection.offer(&fixture(&name)).is_err() {
            continue;
        }
        let read = SessionDescription::unmarshal(&mut Cursor::new(&connection.answer)).unwrap();
        assert_eq!(read.marshal(), connection.answer, "{name}");
        answered += 1;
    }
    assert!(answered >= 20);
}
