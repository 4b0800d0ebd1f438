// The words on the wire of the WebSocket `/ws`, subprotocol `motet.v1`.
// Written by `cargo test` from src/protocol; changes by hand are lost.

/**
 * A member of a room: random, chosen by the node, the same in every message about them.
 *
 * On the wire it is 13 characters of base 32, so comparing two of them as text gives the same
 * order as comparing the numbers; perfect negotiation relies on that (the smaller is polite).
 */
export type MemberId = string;

/**
 * A message of a client, with the request id it wants to be answered by.
 */
export type ClientFrame = { 
/**
 * Chosen by the client, unique among its open requests; an answer repeats it.
 */
id?: number, } & ({ "type": "join", 
/**
 * The room's name.
 */
room: string, 
/**
 * The name that others will see.
 */
name: string, 
/**
 * The client cannot or will not do mesh (a recorder, a bot): it is served over the node.
 */
sfuOnly?: boolean, } | { "type": "signal", 
/**
 * For whom.
 */
to: MemberId, 
/**
 * The topology epoch it belongs to.
 */
epoch: number, } & ({ "description": Description } | { "candidate": Candidate }) | { "type": "offer", 
/**
 * The session description, at most 256 KiB.
 */
sdp: string, 
/**
 * The topology epoch it belongs to.
 */
epoch: number, 
/**
 * Starts a new peer connection: the node forgets the member's old one.
 */
fresh?: boolean, } | { "type": "publish", 
/**
 * What it is.
 */
source: Source, 
/**
 * The m-line of the connection to the node that carries it, when there is one.
 */
mid?: string, 
/**
 * The id of the `MediaStream` that carries it in mesh connections.
 */
stream?: string, 
/**
 * Published, but silent or black for now.
 */
muted?: boolean, } | { "type": "mute", 
/**
 * Which.
 */
source: Source, 
/**
 * Whether it is silent from now on.
 */
muted: boolean, } | { "type": "unpublish", 
/**
 * Which.
 */
source: Source, } | { "type": "view", 
/**
 * The wanted feeds; at most 25 seats can be asked for at once.
 */
wants: Array<Want>, } | { "type": "ready", 
/**
 * The epoch of the `switch`.
 */
epoch: number, } | { "type": "chat", 
/**
 * At most 4,000 characters.
 */
text: string, } | { "type": "ping", } | { "type": "bye", });

/**
 * Everything that a client may say.
 */
export type ClientMessage = { "type": "join", 
/**
 * The room's name.
 */
room: string, 
/**
 * The name that others will see.
 */
name: string, 
/**
 * The client cannot or will not do mesh (a recorder, a bot): it is served over the node.
 */
sfuOnly?: boolean, } | { "type": "signal", 
/**
 * For whom.
 */
to: MemberId, 
/**
 * The topology epoch it belongs to.
 */
epoch: number, } & ({ "description": Description } | { "candidate": Candidate }) | { "type": "offer", 
/**
 * The session description, at most 256 KiB.
 */
sdp: string, 
/**
 * The topology epoch it belongs to.
 */
epoch: number, 
/**
 * Starts a new peer connection: the node forgets the member's old one.
 */
fresh?: boolean, } | { "type": "publish", 
/**
 * What it is.
 */
source: Source, 
/**
 * The m-line of the connection to the node that carries it, when there is one.
 */
mid?: string, 
/**
 * The id of the `MediaStream` that carries it in mesh connections.
 */
stream?: string, 
/**
 * Published, but silent or black for now.
 */
muted?: boolean, } | { "type": "mute", 
/**
 * Which.
 */
source: Source, 
/**
 * Whether it is silent from now on.
 */
muted: boolean, } | { "type": "unpublish", 
/**
 * Which.
 */
source: Source, } | { "type": "view", 
/**
 * The wanted feeds; at most 25 seats can be asked for at once.
 */
wants: Array<Want>, } | { "type": "ready", 
/**
 * The epoch of the `switch`.
 */
epoch: number, } | { "type": "chat", 
/**
 * At most 4,000 characters.
 */
text: string, } | { "type": "ping", } | { "type": "bye", };

/**
 * A message of the node with its place in the member's sequence of events.
 */
export type ServerFrame = { 
/**
 * Counts the events to this member from 1; answers to requests have none.
 */
seq?: number, } & ({ "type": "ok", 
/**
 * The request's id.
 */
id: number, } | { "type": "error", 
/**
 * The request's id, if it had one that could be read.
 */
id?: number, 
/**
 * For programs.
 */
code: ErrorCode, 
/**
 * For people.
 */
message: string, } | { "type": "joined", 
/**
 * The request's id.
 */
id?: number, 
/**
 * The joining member.
 */
you: MemberId, 
/**
 * Everyone in the room, the joining member too, in the order of their coming.
 */
members: Array<Member>, 
/**
 * How media travels now.
 */
topology: Topology, 
/**
 * `RTCIceServer`s for mesh connections.
 */
iceServers: Array<IceServer>, 
/**
 * What the client must keep to.
 */
limits: ClientLimits, 
/**
 * The room's last lines of chat, oldest first.
 */
history: Array<ChatLine>, } | { "type": "member", 
/**
 * Who, as they are now.
 */
member: Member, } | { "type": "left", 
/**
 * Who.
 */
member: MemberId, 
/**
 * Why.
 */
reason: Reason, } | { "type": "signal", 
/**
 * From whom.
 */
from: MemberId, 
/**
 * The topology epoch it belongs to.
 */
epoch: number, } & ({ "description": Description } | { "candidate": Candidate }) | { "type": "answer", 
/**
 * The request's id.
 */
id?: number, 
/**
 * The session description.
 */
sdp: string, 
/**
 * The epoch of the offer.
 */
epoch: number, } | { "type": "seats", 
/**
 * By seat number.
 */
seats: Array<Seat | null>, } | { "type": "switch", 
/**
 * Where to.
 */
mode: Mode, 
/**
 * The epoch that begins.
 */
epoch: number, 
/**
 * How long it may take, in milliseconds from now.
 */
deadlineMs: number, } | { "type": "commit", 
/**
 * What holds now.
 */
mode: Mode, 
/**
 * The epoch.
 */
epoch: number, } | { "type": "rollback", 
/**
 * What holds on.
 */
mode: Mode, 
/**
 * The epoch that holds from now on.
 */
epoch: number, } | { "type": "chat" } & ChatLine | { "type": "speakers", 
/**
 * The members.
 */
members: Array<MemberId>, } | { "type": "pong", 
/**
 * The request's id.
 */
id?: number, } | { "type": "bye", 
/**
 * Why.
 */
reason: Reason, });

/**
 * Everything that the node may say.
 */
export type ServerMessage = { "type": "ok", 
/**
 * The request's id.
 */
id: number, } | { "type": "error", 
/**
 * The request's id, if it had one that could be read.
 */
id?: number, 
/**
 * For programs.
 */
code: ErrorCode, 
/**
 * For people.
 */
message: string, } | { "type": "joined", 
/**
 * The request's id.
 */
id?: number, 
/**
 * The joining member.
 */
you: MemberId, 
/**
 * Everyone in the room, the joining member too, in the order of their coming.
 */
members: Array<Member>, 
/**
 * How media travels now.
 */
topology: Topology, 
/**
 * `RTCIceServer`s for mesh connections.
 */
iceServers: Array<IceServer>, 
/**
 * What the client must keep to.
 */
limits: ClientLimits, 
/**
 * The room's last lines of chat, oldest first.
 */
history: Array<ChatLine>, } | { "type": "member", 
/**
 * Who, as they are now.
 */
member: Member, } | { "type": "left", 
/**
 * Who.
 */
member: MemberId, 
/**
 * Why.
 */
reason: Reason, } | { "type": "signal", 
/**
 * From whom.
 */
from: MemberId, 
/**
 * The topology epoch it belongs to.
 */
epoch: number, } & ({ "description": Description } | { "candidate": Candidate }) | { "type": "answer", 
/**
 * The request's id.
 */
id?: number, 
/**
 * The session description.
 */
sdp: string, 
/**
 * The epoch of the offer.
 */
epoch: number, } | { "type": "seats", 
/**
 * By seat number.
 */
seats: Array<Seat | null>, } | { "type": "switch", 
/**
 * Where to.
 */
mode: Mode, 
/**
 * The epoch that begins.
 */
epoch: number, 
/**
 * How long it may take, in milliseconds from now.
 */
deadlineMs: number, } | { "type": "commit", 
/**
 * What holds now.
 */
mode: Mode, 
/**
 * The epoch.
 */
epoch: number, } | { "type": "rollback", 
/**
 * What holds on.
 */
mode: Mode, 
/**
 * The epoch that holds from now on.
 */
epoch: number, } | { "type": "chat" } & ChatLine | { "type": "speakers", 
/**
 * The members.
 */
members: Array<MemberId>, } | { "type": "pong", 
/**
 * The request's id.
 */
id?: number, } | { "type": "bye", 
/**
 * Why.
 */
reason: Reason, };

/**
 * One step of negotiation between two browsers.
 */
export type Signal = { "description": Description } | { "candidate": Candidate };

/**
 * `RTCSessionDescriptionInit`.
 */
export type Description = { 
/**
 * Offer or answer.
 */
type: DescriptionKind, 
/**
 * The text.
 */
sdp?: string, };

/**
 * `RTCSdpType`, less `pranswer` and `rollback`, which stays within a browser.
 */
export type DescriptionKind = "offer" | "answer";

/**
 * `RTCIceCandidateInit`.
 */
export type Candidate = { 
/**
 * The candidate line, without `a=`; empty at the end of candidates.
 */
candidate: string, 
/**
 * The m-line's mid.
 */
sdpMid?: string | null, 
/**
 * The m-line's index.
 */
sdpMLineIndex?: number | null, 
/**
 * The ICE generation's username fragment.
 */
usernameFragment?: string | null, };

/**
 * What a member can send.
 */
export type Source = "microphone" | "camera" | "screenAudio" | "screen";

/**
 * What fills a seat: one picture and the sound that belongs to it.
 */
export type Feed = "camera" | "screen";

/**
 * One thing that a viewer wants to see.
 */
export type Want = { 
/**
 * Whose.
 */
member: MemberId, 
/**
 * Which of theirs.
 */
feed: Feed, 
/**
 * The height in pixels at which it is shown; a larger layer is not needed. 0: sound only.
 */
maxHeight: number, };

/**
 * A member as others see them.
 */
export type Member = { 
/**
 * Who.
 */
id: MemberId, 
/**
 * Their name.
 */
name: string, 
/**
 * Served over the node always.
 */
sfuOnly: boolean, 
/**
 * What they send, in the order of `Source`.
 */
published: Array<Published>, };

/**
 * One source that a member sends.
 */
export type Published = { 
/**
 * What it is.
 */
source: Source, 
/**
 * The id of the `MediaStream` that carries it in mesh connections.
 */
stream?: string, 
/**
 * Silent or black for now.
 */
muted: boolean, };

/**
 * How media travels.
 */
export type Mode = "mesh" | "sfu";

/**
 * How media travels now, and where it is going.
 */
export type Topology = { 
/**
 * What a newcomer brings up: the mode that holds, or the one being switched to.
 */
mode: Mode, 
/**
 * The epoch of that mode.
 */
epoch: number, 
/**
 * A switch to `mode` is under way.
 */
switching: boolean, };

/**
 * `RTCIceServer`.
 */
export type IceServer = { 
/**
 * Where.
 */
urls: Array<string>, 
/**
 * For TURN.
 */
username?: string, 
/**
 * For TURN.
 */
credential?: string, };

/**
 * What a client must keep to.
 */
export type ClientLimits = { 
/**
 * Bytes of a WebSocket message other than those that carry SDP.
 */
messageBytes: number, 
/**
 * Bytes of a WebSocket message that carries SDP.
 */
sdpBytes: number, 
/**
 * Seats that can be asked for at once.
 */
seats: number, 
/**
 * Seconds without a `ping` (or anything else) after which a client counts as gone.
 */
silenceSeconds: number, };

/**
 * What sits on a seat.
 */
export type Seat = { 
/**
 * Whose.
 */
member: MemberId, 
/**
 * Which of theirs.
 */
feed: Feed, };

/**
 * A line of text in the room.
 */
export type ChatLine = { 
/**
 * Who wrote it.
 */
from: MemberId, 
/**
 * Their name when they wrote it.
 */
name: string, 
/**
 * What.
 */
text: string, 
/**
 * When, in milliseconds since the room came to be.
 */
atMs: number, };

/**
 * The code of an `error`.
 */
export type ErrorCode = "malformed" | "tooLarge" | "tooFast" | "notJoined" | "alreadyJoined" | "badName" | "roomFull" | "nodeFull" | "noSuchMember" | "notPublished" | "staleEpoch" | "badOffer" | "limit" | "roomClosed" | "internal";

/**
 * Why the node ended a connection (`bye`), or why a member is gone (`left`).
 */
export type Reason = "left" | "lost" | "silent" | "slow" | "misbehaved" | "roomClosed" | "shutdown";
