//! What a publisher says of its clock, or numbers its packets by, bent.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rtc_rtcp::sender_report::SenderReport;
use webrtc::media_stream::track_local::TrackLocal;

/// Sender reports go out that often, beside the true ones of the client's stack: one a second.
pub const REPORTS_PER_SECOND: u32 = 10;
/// From NTP's era to that of Unix, in seconds.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// What is bent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bend {
    Nothing,
    /// RTP times of reports are five seconds ahead.
    Ahead,
    /// RTP times of reports run twice as fast.
    Growing,
    /// RTP times of reports are 0.
    Zero,
    /// Wall clock times of reports are those of another day each.
    Wall,
    /// After two seconds timestamps leap ahead by an hour, after four back by a minute.
    Timestamps,
    /// After two seconds sequence numbers leap ahead by two thousand, after four by twenty thousand. Back they cannot:
    /// SRTP takes that for replay (RFC 3711 §3.3.2).
    Numbers,
}

impl Bend {
    pub fn timestamp(self, true_one: u32, rate: u32) -> u32 {
        match (self, true_one / rate) {
            (Bend::Timestamps, 2..4) => true_one + 3_600 * rate,
            (Bend::Timestamps, 4..) => true_one + 3_540 * rate,
            _ => true_one,
        }
    }

    pub fn number(self, true_one: u32, seconds: u32) -> u32 {
        match (self, seconds) {
            (Bend::Numbers, 2..4) => true_one + 2_000,
            (Bend::Numbers, 4..) => true_one + 20_000,
            _ => true_one,
        }
    }

    /// Sends what is bent of a report of that moment.
    pub async fn report(self, track: &Arc<dyn TrackLocal>, ssrc: u32, timestamp: u32, rate: u32) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
        let ntp_time = ((now.as_secs() + NTP_TO_UNIX) << 32) + fraction;
        let day = u64::from(timestamp / (rate / REPORTS_PER_SECOND)) * 86_400;
        let (ntp_time, rtp_time) = match self {
            Bend::Nothing | Bend::Timestamps | Bend::Numbers => return,
            Bend::Ahead => (ntp_time, timestamp + 5 * rate),
            Bend::Growing => (ntp_time, 2 * timestamp),
            Bend::Zero => (ntp_time, 0),
            Bend::Wall => (ntp_time + (day << 32), timestamp),
        };
        let report = SenderReport {
            ssrc,
            ntp_time,
            rtp_time,
            ..SenderReport::default()
        };
        // A connection that is closed takes none.
        let _ = track.write_rtcp(vec![Box::new(report)]).await;
    }
}
