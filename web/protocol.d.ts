/** The words on the wire of the WebSocket. */

export type MemberId = string;
export type RequestId = number;
export type Epoch = number;

export type Source = "microphone" | "camera" | "screenAudio" | "screen";
export type Feed = "camera" | "screen";
export type Mode = "mesh" | "sfu";
export type DescriptionKind = "offer" | "answer";

export type Description = { type: DescriptionKind; sdp: string };
export type Candidate = {
  candidate: string;
  sdpMid: string | null;
  sdpMLineIndex: number | null;
  usernameFragment: string | null;
};
export type Signal = { description: Description } | { candidate: Candidate };
export type Want = { member: MemberId; feed: Feed; maxHeight: number };

export type ClientMessage =
  | { type: "join"; room: string; name: string; sfuOnly: boolean }
  | ({ type: "signal"; to: MemberId; epoch: Epoch } & Signal)
  | { type: "offer"; sdp: string; epoch: Epoch; fresh: boolean }
  | { type: "publish"; source: Source; mid?: string; stream?: string; muted: boolean }
  | { type: "mute"; source: Source; muted: boolean }
  | { type: "unpublish"; source: Source }
  | { type: "view"; wants: Want[] }
  | { type: "ready"; epoch: Epoch }
  | { type: "chat"; text: string }
  | { type: "ping" }
  | { type: "bye" };

export type ErrorCode =
  | "malformed"
  | "tooLarge"
  | "tooFast"
  | "notJoined"
  | "alreadyJoined"
  | "badName"
  | "roomFull"
  | "nodeFull"
  | "noSuchMember"
  | "staleEpoch"
  | "badOffer"
  | "limit"
  | "roomClosed"
  | "internal";

export type Reason =
  | "left"
  | "lost"
  | "silent"
  | "slow"
  | "misbehaved"
  | "roomClosed"
  | "shutdown";

export type Published = { source: Source; stream?: string; muted: boolean };
export type Member = { id: MemberId; name: string; sfuOnly: boolean; published: Published[] };
export type Topology = { mode: Mode; epoch: Epoch; switching: boolean };
export type IceServer = { urls: string[]; username?: string; credential?: string };
export type ClientLimits = {
  messageBytes: number;
  sdpBytes: number;
  seats: number;
  silenceSeconds: number;
};
export type Seat = { member: MemberId; feed: Feed };
export type ChatLine = { from: MemberId; name: string; text: string; atMs: number };

export type ServerMessage =
  | { type: "ok"; id: RequestId }
  | { type: "error"; id?: RequestId; code: ErrorCode; message: string }
  | {
      type: "joined";
      id?: RequestId;
      you: MemberId;
      members: Member[];
      topology: Topology;
      iceServers: IceServer[];
      limits: ClientLimits;
      history: ChatLine[];
    }
  | { type: "member"; member: Member }
  | { type: "left"; member: MemberId; reason: Reason }
  | ({ type: "signal"; from: MemberId; epoch: Epoch } & Signal)
  | { type: "answer"; id?: RequestId; sdp: string; epoch: Epoch }
  | { type: "seats"; seats: (Seat | null)[] }
  | { type: "switch"; mode: Mode; epoch: Epoch; deadlineMs: number }
  | { type: "commit"; mode: Mode; epoch: Epoch }
  | { type: "rollback"; mode: Mode; epoch: Epoch }
  | ({ type: "chat" } & ChatLine)
  | { type: "speakers"; members: MemberId[] }
  | { type: "pong"; id?: RequestId }
  | { type: "bye"; reason: Reason };

export type ServerFrame = { seq?: number } & ServerMessage;
