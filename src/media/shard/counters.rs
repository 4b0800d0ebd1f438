//! What a shard counts.

use serde::Serialize;

use crate::logic::topology::{Switches, Tally};
use crate::protocol::server::RecordingEnd;

/// What a shard has counted since it was made.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// RTP packets that were opened.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// RTP packets sent, retransmissions not counted.
    pub packets_out: u64,
    /// Their bytes, as sent.
    pub bytes_out: u64,
    /// Of them, those to other programs.
    pub rtp_out_packets: u64,
    /// Their bytes, as sent.
    pub rtp_out_bytes: u64,
    /// Packets sent again.
    pub retransmissions: u64,
    /// RTCP packets that were opened.
    pub rtcp_in: u64,
    /// Sender reports that were not believed: no clock runs like that, or what they are about came at another time.
    pub reports_disbelieved: u64,
    /// RTCP packets sent.
    pub rtcp_out: u64,
    /// Packets that viewers asked for again.
    pub nacks_in: u64,
    /// Packets that publishers were asked for again.
    pub nacks_out: u64,
    /// Key frames that viewers asked for.
    pub key_frame_requests_in: u64,
    /// Key frames that publishers were asked for.
    pub key_frame_requests_out: u64,
    /// What was dropped.
    pub dropped: Dropped,
    /// Offers that were not answered.
    pub refused_offers: u64,
    /// Of them, those that came too fast.
    pub offers_too_fast: u64,
    /// Connections that were given up before they came up, as too many were coming up.
    pub displaced_peers: u64,
    /// Messages that members said too often.
    pub too_fast: u64,
    /// STUN Binding requests answered for mesh clients.
    pub stun_answers: u64,
    /// Members that joined.
    pub joins: u64,
    /// WebSockets that were lost before their members left.
    pub lost_websockets: u64,
    /// Members that came back after a lost WebSocket.
    pub resumes: u64,
    /// Attempts to come back that were refused.
    pub refused_resumes: u64,
    /// Peer connections that came up.
    pub connected: u64,
    /// Switches between mesh and SFU that were begun, by cause.
    pub switches: Switches,
    /// Those that did not come about.
    pub rollbacks: u64,
    /// Times that the shard was so far behind that more was left out.
    pub reliefs: u64,
    /// Rooms that panicked, and were closed.
    pub room_panics: u64,
    /// Frames of recordings that the disk was too slow for.
    pub frames_not_recorded: u64,
    /// Recordings that were not begun though somebody wanted them who might have.
    pub recordings_refused: u64,
    /// Recordings that are over, by cause.
    pub recordings_ended: RecordingsEnded,
}

/// Recordings that are over, by cause.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingsEnded {
    /// Somebody stopped them.
    pub stopped: u64,
    /// Their room was no more.
    pub room_closed: u64,
    /// They were as long as they may be, or all together as large.
    pub limit: u64,
    /// There was no room on the disk.
    pub disk_full: u64,
    /// Their files could not be written.
    pub disk_failed: u64,
    /// The node failed while it wrote.
    pub node_failed: u64,
    /// The node was stopped.
    pub interrupted: u64,
}

impl RecordingsEnded {
    /// Counts one.
    pub fn count(&mut self, why: RecordingEnd) {
        let counter = match why {
            RecordingEnd::Stopped => &mut self.stopped,
            RecordingEnd::RoomClosed => &mut self.room_closed,
            RecordingEnd::Limit => &mut self.limit,
            RecordingEnd::DiskFull => &mut self.disk_full,
            RecordingEnd::DiskFailed => &mut self.disk_failed,
            RecordingEnd::NodeFailed => &mut self.node_failed,
            RecordingEnd::Interrupted => &mut self.interrupted,
        };
        *counter += 1;
    }
}

/// What a shard has dropped, by cause.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// Datagrams that belong to nobody.
    pub unknown_source: u64,
    /// Packets that failed authentication or were repeated.
    pub rejected: u64,
    /// Packets that no m-line claims.
    pub unbound: u64,
    /// Packets of a publisher beyond its bits per second.
    pub too_fast: u64,
    /// Packets of a connection beyond its packets per second.
    pub too_many: u64,
}

impl Counters {
    /// Counts one packet sent, if one was.
    pub fn sent(&mut self, bytes: Option<usize>) {
        if let Some(bytes) = bytes {
            self.packets_out += 1;
            self.bytes_out += bytes as u64;
        }
    }

    /// Counts what became of a room's topology.
    pub fn switched(&mut self, tally: Tally) {
        self.switches += tally.switches;
        self.rollbacks += tally.rollbacks;
    }
}
