// The words on the wire of the WebSocket `/ws`, subprotocol `motet.v1`.
// Written by `cargo test` from src/protocol; changes by hand are lost.

/** A client's message, with the id that its answer is to carry. */
export type ClientFrame = { id?: number } & ClientMessage;

/** A message of the node; events carry their number, from 1 and without a gap. */
export type ServerFrame = { seq?: number } & ServerMessage;

/** A member of a room: random, chosen by the node, the same in every message about them.
 *
 * On the wire it is 13 characters of base 32, so comparing two of them as text gives the same
 * order as comparing the numbers; perfect negotiation relies on that (the smaller is polite). */
export type MemberId = string;

/** Everything that a client may say. */
export type ClientMessage =
  /** The first message of a connection. Answered by `joined`. */
  | { "type": "join",
    /** The room's name. */
    room: string,
    /** The name that others will see. */
    name: string,
    /** The client cannot or will not do mesh (a recorder, a bot): it is served over the node. */
    sfuOnly?: boolean,
    /** Makes its bearer the owner of a room that they make, and of the room whose owner said
 * the same key. Kept by the client, never told to others; 16 to 128 bytes of visible ASCII. */
    ownerKey?: string, }
  /** The first message of a connection instead of `join`: goes on where a lost one ended. Answered by `resumed`, and by the events after `after`, each once and in order; or refused with `resumeFailed`, and then `join` may follow. A connection that is still there is ended with `bye replaced`. */
  | { "type": "resume",
    /** The room's name. */
    room: string,
    /** From `joined`, or from the last `resumed`; each is good for one time. */
    token: string,
    /** The number of the last event that arrived. */
    after: number, }
  /** To another member, passed on as it is: perfect negotiation of a mesh pair. */
  | { "type": "signal",
    /** For whom. */
    to: MemberId,
    /** The topology epoch it belongs to. */
    epoch: number, } & ({ "description": Description } | { "candidate": Candidate })
  /** An SDP offer for the connection to the node. Answered by `answer`. A later offer on the same connection adds m-lines (more seats) or restarts ICE. */
  | { "type": "offer",
    /** The session description, at most 256 KiB. */
    sdp: string,
    /** The topology epoch it belongs to. */
    epoch: number,
    /** Starts a new peer connection: the node forgets the member's old one. */
    fresh?: boolean, }
  /** Something is sent now: announced to everyone. What the owner holds muted is taken, but stays muted, whatever is said here; a `member` about themselves then tells its sender. */
  | { "type": "publish",
    /** What it is. */
    source: Source,
    /** The m-line of the connection to the node that carries it, when there is one. */
    mid?: string,
    /** The id of the `MediaStream` that carries it in mesh connections. */
    stream?: string,
    /** Published, but silent or black for now. */
    muted?: boolean, }
  /** A published source falls silent or comes back. */
  | { "type": "mute",
    /** Which. */
    source: Source,
    /** Whether it is silent from now on. */
    muted: boolean, }
  /** A source is no longer sent. */
  | { "type": "unpublish",
    /** Which. */
    source: Source, }
  /** What the client wants to see on its seats, most wanted first. Without one: everyone, screens first; with an empty one: nobody. */
  | { "type": "view",
    /** The wanted feeds; at most 25 seats can be asked for at once. */
    wants: Array<Want>, }
  /** The new path of a switch plays: media decodes for everyone that this client should see. Said by those who have an old path to lose; a newcomer need not. */
  | { "type": "ready",
    /** The epoch of the `switch`. */
    epoch: number, }
  /** How the direct connection to another member fares, when that changes: from the members of a mesh, and from those whose media travels directly as an exception. */
  | { "type": "pair",
    /** The other member. */
    member: MemberId,
    /** The topology epoch. */
    epoch: number,
    /** How it fares. */
    state: PairState, }
  /** The connection to the node does not come up, or broke and does not come back. That it works need not be said. */
  | { "type": "unreachable",
    /** What is missing. */
    cause: Unreachable, }
  /** The mesh is too much for this client, by its own statistics: it asks for the node. */
  | { "type": "strain",
    /** What gives; nothing, once it does not hold any more. */
    cause?: Strain, }
  /** Raises or lowers the member's hand. */
  | { "type": "hand",
    /** Up. */
    raised: boolean, }
  /** A passing sign to everyone. */
  | { "type": "react",
    /** Which. */
    reaction: Reaction, }
  /** The room's owner holds a member's source muted, or lets it go. A held source cannot be unmuted by its member, and stays held when it is published anew; let go, it stays muted until the member unmutes it. The node forwards nothing of it; between the members of a mesh it is for their clients to keep it silent. An owner's sources cannot be held: `forbidden`. */
  | { "type": "silence",
    /** Whose. */
    member: MemberId,
    /** Which. */
    source: Source,
    /** Held from now on. */
    silenced: boolean, }
  /** The owner lowers a member's hand. */
  | { "type": "lowerHand",
    /** Whose. */
    member: MemberId, }
  /** The owner sends a member away; not an owner, themselves or another: `forbidden`. */
  | { "type": "remove",
    /** Who. */
    member: MemberId, }
  /** The owner lets nobody new in, or lets them in again. Those who wait stay waiting; they can still be admitted one by one. */
  | { "type": "lock",
    /** From now on. */
    locked: boolean, }
  /** The owner has newcomers wait until they are admitted, or lets them come by themselves; those who wait then come in, in the order of their coming, as long as the room is not locked and there are places. The others wait on, and come in as places get free. */
  | { "type": "lobby",
    /** From now on. */
    enabled: boolean, }
  /** The owner lets somebody in who waits; `roomFull` while there is no place. */
  | { "type": "admit",
    /** Who. */
    member: MemberId, }
  /** The owner sends somebody away who waits. */
  | { "type": "deny",
    /** Who. */
    member: MemberId, }
  /** The owner has the room recorded, or no more. While it is, media travels over the node. */
  | { "type": "record",
    /** From now on. */
    active: boolean, }
  /** The owner ends the room for everyone. */
  | { "type": "end", }
  /** A line of text to everyone in the room. */
  | { "type": "chat",
    /** At most 4,000 characters. */
    text: string, }
  /** A sign of life, at least every 30 s; answered by `pong`. */
  | { "type": "ping",
    /** The number of the last event that arrived: the node need not keep it, or any before it,
 * for a `resume`. */
    after?: number, }
  /** Leaves the room; the node closes the connection. */
  | { "type": "bye", };

/** Everything that the node may say. */
export type ServerMessage =
  /** The request was carried out. */
  | { "type": "ok",
    /** The request's id. */
    id: number, }
  /** The request, or a message without an id, was refused. Nothing was changed. */
  | { "type": "error",
    /** The request's id, if it had one that could be read. */
    id?: number,
    /** For programs. */
    code: ErrorCode,
    /** For people. */
    message: string, }
  /** The answer to `join`; without an id, the end of waiting. */
  | { "type": "joined",
    /** The request's id. */
    id?: number,
    /** The joining member. */
    you: MemberId,
    /** For `resume`. */
    resume: ResumeTicket,
    /** What the owner decided. */
    rules: Rules,
    /** Who waits to be let in; told to owners alone. */
    waiting: Array<Knock>,
    /** Everyone in the room, the joining member too, in the order of their coming. */
    members: Array<Member>,
    /** How media travels now. */
    topology: Topology,
    /** With whom it travels otherwise. */
    exceptions: Array<PathException>,
    /** `RTCIceServer`s for mesh connections. */
    iceServers: Array<IceServer>,
    /** What the client must keep to. */
    limits: ClientLimits,
    /** The room's last lines of chat, oldest first. */
    history: Array<ChatLine>,
    /** The room is recorded. */
    recording?: RecordingSign, }
  /** The answer to `join` where newcomers wait for the owner: `joined` or `bye` follows. Until then only `ping` and `bye` may be said. */
  | { "type": "waiting",
    /** The request's id. */
    id?: number,
    /** Who is waiting. */
    you: MemberId, }
  /** The answer to `resume`: the missed events follow. */
  | { "type": "resumed",
    /** The request's id. */
    id?: number,
    /** For the next `resume`. */
    resume: ResumeTicket,
    /** `RTCIceServer`s for mesh connections. */
    iceServers: Array<IceServer>, }
  /** Other servers for mesh connections from now on, before the credentials of those before end. */
  | { "type": "iceServers",
    /** All of them. */
    iceServers: Array<IceServer>, }
  /** Someone came, or something about them changed: their whole state. Also to the members themselves where the room decided it: when a hand went up, what the owner holds. */
  | { "type": "member",
    /** Who, as they are now. */
    member: Member, }
  /** Someone is gone. */
  | { "type": "left",
    /** Who. */
    member: MemberId,
    /** Why. */
    reason: Reason, }
  /** Passed on from another member. */
  | { "type": "signal",
    /** From whom. */
    from: MemberId,
    /** The topology epoch it belongs to. */
    epoch: number, } & ({ "description": Description } | { "candidate": Candidate })
  /** The answer to `offer`. */
  | { "type": "answer",
    /** The request's id. */
    id?: number,
    /** The session description. */
    sdp: string,
    /** The epoch of the offer. */
    epoch: number, }
  /** Who sits where from now on: the whole plan, sent before the media changes, and again after every `answer`. Seat `n` is the stream that the answer calls `seat-n`; seats beyond the list are empty. */
  | { "type": "seats",
    /** By seat number. */
    seats: Array<Seat | null>, }
  /** What of its seats the client cannot decode, by what it has offered: the whole list, when it changes. Nothing arrives of these pictures. On a new connection it is empty at first. */
  | { "type": "undecodable",
    /** In no order. */
    pictures: Array<Undecodable>, }
  /** A picture of the client's is to be sent in another codec from now on, of those that its offer and the answer have: somebody cannot decode the present one, and everybody this one. */
  | { "type": "encode",
    /** Which picture. */
    source: Source,
    /** How. */
    codec: PictureCodec, }
  /** A switch begins: bring up the new path, keep the old one. */
  | { "type": "switch",
    /** Where to. */
    mode: Mode,
    /** The epoch that begins. */
    epoch: number,
    /** How long it may take, in milliseconds from now. */
    deadlineMs: number,
    /** Why. */
    why: Why, }
  /** The switch of this epoch is done: drop the old path. */
  | { "type": "commit",
    /** What holds now. */
    mode: Mode,
    /** The epoch. */
    epoch: number,
    /** Why. */
    why: Why,
    /** Who did not follow in time. */
    missing?: Array<MemberId>, }
  /** The switch did not come about: drop the new path, keep the old one. */
  | { "type": "rollback",
    /** What holds on. */
    mode: Mode,
    /** The epoch that holds from now on. */
    epoch: number,
    /** Who could not follow. */
    missing: Array<MemberId>, }
  /** With whom media travels otherwise than with the rest of the room: the whole list, when it changes. A new path is brought up first, the old one dropped once the new one plays. */
  | { "type": "paths",
    /** The topology epoch. */
    epoch: number,
    /** Everyone else's path is the mode's. */
    exceptions: Array<PathException>, }
  /** What the owner decided, when it changes. */
  | { "type": "rules" } & Rules
  /** Who waits to be let in: the whole list, to owners, when it changes. */
  | { "type": "knocks",
    /** In the order of their coming. */
    waiting: Array<Knock>, }
  /** The room is recorded from now on, or no more. */
  | { "type": "recording",
    /** By which recording. */
    recording?: RecordingSign,
    /** Why it is over. */
    ended?: RecordingEnd, }
  /** A passing sign. */
  | { "type": "reaction",
    /** Whose. */
    from: MemberId,
    /** Which. */
    reaction: Reaction, }
  /** A line of text. */
  | { "type": "chat" } & ChatLine
  /** Who is speaking, loudest first; sent when it changes, in SFU mode. */
  | { "type": "speakers",
    /** The members. */
    members: Array<MemberId>, }
  /** The answer to `ping`. */
  | { "type": "pong",
    /** The request's id. */
    id?: number, }
  /** The node is about to stop: who is in a room may stay for so long, and new rooms are refused. */
  | { "type": "draining",
    /** How long, at most. */
    seconds: number, }
  /** The last message: the connection closes. */
  | { "type": "bye",
    /** Why. */
    reason: Reason, };

/** One step of negotiation between two browsers. */
export type Signal =
  /** An offer or an answer. */
  | { "description": Description }
  /** A candidate, or the end of candidates (empty `candidate`). */
  | { "candidate": Candidate };

/** `RTCSessionDescriptionInit`. */
export type Description = {
    /** Offer or answer. */
    type: DescriptionKind,
    /** The text. */
    sdp?: string, };

/** `RTCSdpType`, less `pranswer` and `rollback`, which stays within a browser. */
export type DescriptionKind =
  /** A proposal. */
  | "offer"
  /** What was agreed on. */
  | "answer";

/** `RTCIceCandidateInit`. */
export type Candidate = {
    /** The candidate line, without `a=`; empty at the end of candidates. */
    candidate: string,
    /** The m-line's mid. */
    sdpMid?: string | null,
    /** The m-line's index. */
    sdpMLineIndex?: number | null,
    /** The ICE generation's username fragment. */
    usernameFragment?: string | null, };

/** How a direct connection between two members fares. */
export type PairState =
  /** It is up. */
  | "connected"
  /** It does not come up, an ICE restart included. */
  | "failed";

/** Why the node cannot be reached. */
export type Unreachable =
  /** No pair of candidates works: a firewall, most likely. */
  | "ice"
  /** Candidates work, the handshake does not end. */
  | "dtls"
  /** The node refused the offer. */
  | "refused";

/** Why a mesh is too much for a client. */
export type Strain =
  /** It sends far less than it should. */
  | "uplink"
  /** Its encoders are limited by the processor. */
  | "cpu";

/** A passing sign. */
export type Reaction =
  /** Agreement. */
  | "thumbsUp"
  /** Disagreement. */
  | "thumbsDown"
  /** Applause. */
  | "clap"
  /** Affection. */
  | "heart"
  /** Laughter. */
  | "laugh"
  /** Surprise. */
  | "surprise"
  /** Joy. */
  | "party";

/** What a member can send. */
export type Source =
  /** Their voice. */
  | "microphone"
  /** Their picture. */
  | "camera"
  /** The sound of what they share. */
  | "screenAudio"
  /** The picture of what they share. */
  | "screen";

/** What fills a seat: one picture and the sound that belongs to it. */
export type Feed =
  /** Camera and microphone. */
  | "camera"
  /** Shared screen and its sound. */
  | "screen";

/** One thing that a viewer wants to see. */
export type Want = {
    /** Whose. */
    member: MemberId,
    /** Which of theirs. */
    feed: Feed,
    /** The height in pixels at which it is shown; a larger layer is not needed. 0: sound only. */
    maxHeight: number, };

/** A member as others see them. */
export type Member = {
    /** Who. */
    id: MemberId,
    /** Their name. */
    name: string,
    /** By what they take part. */
    kind?: MemberKind,
    /** What they may do. */
    role: Role,
    /** Served over the node always. */
    sfuOnly: boolean,
    /** What they send, in the order of `Source`. */
    published: Array<Published>,
    /** What the owner holds muted, in the order of `Source`. */
    silenced: Array<Source>,
    /** What is sent to other programs besides, in the order of `Source`. */
    forwarded?: Array<Source>,
    /** Since when their hand is up, in milliseconds since the room came to be. */
    handMs?: number,
    /** Whether their WebSocket is there. */
    presence: Presence,
    /** Whether the node reaches them. */
    node: Reach, };

/** What a member may do. */
export type Role =
  /** Take part. */
  | "guest"
  /** Decide about the room and those in it. */
  | "owner";

/** By what a member takes part. */
export type MemberKind =
  /** A client that speaks this protocol. */
  | "client"
  /** A publisher over HTTP (RFC 9725), who sees and hears nobody. */
  | "whip"
  /** A viewer over HTTP (draft-ietf-wish-whep), who sends nothing. */
  | "whep";

/** Whether a member's WebSocket is there. */
export type Presence =
  /** It is. */
  | "here"
  /** It was lost and may come back; their media may go on meanwhile. */
  | "reconnecting";

/** Whether a member's connection to the node works. */
export type Reach =
  /** It was not tried yet, or is coming up. */
  | "unknown"
  /** It is up. */
  | "up"
  /** No pair of candidates works. */
  | "noIce"
  /** The handshake does not end. */
  | "noDtls"
  /** The node refused the offer. */
  | "refused";

/** What brings a lost WebSocket back. */
export type ResumeTicket = {
    /** Good for one `resume`. */
    token: string,
    /** How long the member's place is kept after the WebSocket was lost, in seconds. */
    seconds: number, };

/** What the owner decided. */
export type Rules = {
    /** Nobody new is let in. */
    locked: boolean,
    /** Newcomers wait until they are admitted. */
    lobby: boolean, };

/** Somebody who waits to be let in. */
export type Knock = {
    /** Who. */
    member: MemberId,
    /** Their name. */
    name: string, };

/** A recording that goes on. */
export type RecordingSign = {
    /** Which. */
    id: string,
    /** When it began, in milliseconds since the room came to be. */
    sinceMs: number,
    /** Pictures are left out for now, as the disk is too slow; told to owners. */
    thinned?: boolean, };

/** Why a recording is over. */
export type RecordingEnd =
  /** Somebody stopped it. */
  | "stopped"
  /** The room is no more. */
  | "roomClosed"
  /** It was as long as it may be, or all recordings together as large. */
  | "limit"
  /** There is no room on the disk. */
  | "diskFull"
  /** Its files cannot be written. */
  | "diskFailed"
  /** The node failed while it wrote. */
  | "nodeFailed"
  /** The node was stopped before it was over; what there was is whole. */
  | "interrupted";

/** One source that a member sends. */
export type Published = {
    /** What it is. */
    source: Source,
    /** The id of the `MediaStream` that carries it in mesh connections. */
    stream?: string,
    /** Silent or black for now. */
    muted: boolean, };

/** How media travels. */
export type Mode =
  /** Peer to peer. */
  | "mesh"
  /** Over the node. */
  | "sfu";

/** How media travels now, and where it is going. */
export type Topology = {
    /** What a newcomer brings up: the mode that holds, or the one being switched to. */
    mode: Mode,
    /** The epoch of that mode. */
    epoch: number,
    /** A switch to `mode` is under way; `commit` or `rollback` will follow. */
    switching: boolean,
    /** Why. */
    why: Why, };

/** Why media travels as it does. */
export type Why = {
    /** The cause. */
    cause: Cause,
    /** Who gave it, where somebody did. */
    member?: MemberId, };

/** What can decide between mesh and SFU. */
export type Cause =
  /** There are few enough members for a mesh, and no reason against it. */
  | "few"
  /** There are too many members for a mesh. */
  | "many"
  /** The node's settings leave no choice. */
  | "policy"
  /** A member can only be served over the node. */
  | "sfuOnly"
  /** A member's uplink is too narrow for a mesh. */
  | "uplink"
  /** A member's processor is too slow for a mesh. */
  | "cpu"
  /** A mesh was tried, and somebody could not follow. */
  | "failed"
  /** The room is recorded. */
  | "recording"
  /** Media of the room is sent to other programs. */
  | "forwarded";

/** How media travels between two members. */
export type PairPath =
  /** Peer to peer. */
  | "direct"
  /** Over the node. */
  | "node"
  /** Not at all. */
  | "none";

/** Why two members' media does not travel as the room's does. */
export type PathReason =
  /** Their browsers do not reach each other. */
  | "pairFailed"
  /** One of them does not reach the node. */
  | "nodeUnreachable"
  /** Neither works. */
  | "nothing";

/** A member with whom media travels otherwise. */
export type PathException = {
    /** The other member. */
    member: MemberId,
    /** How. */
    path: PairPath,
    /** Why. */
    reason: PathReason, };

/** `RTCIceServer`. */
export type IceServer = {
    /** Where. */
    urls: Array<string>,
    /** For TURN. */
    username?: string,
    /** For TURN. */
    credential?: string, };

/** What a client must keep to. */
export type ClientLimits = {
    /** Bytes of a WebSocket message other than those that carry SDP. */
    messageBytes: number,
    /** Bytes of a WebSocket message that carries SDP. */
    sdpBytes: number,
    /** Seats that can be asked for at once. */
    seats: number,
    /** Seconds without a `ping` (or anything else) after which a client counts as gone. */
    silenceSeconds: number, };

/** What sits on a seat. */
export type Seat = {
    /** Whose. */
    member: MemberId,
    /** Which of theirs. */
    feed: Feed, };

/** A picture that a client cannot decode. */
export type Undecodable = {
    /** Whose. */
    member: MemberId,
    /** Which of theirs. */
    feed: Feed,
    /** How it is sent. */
    codec: PictureCodec, };

/** The codec of a picture, with the profile where browsers differ in it. */
export type PictureCodec =
  /** RFC 7741. */
  | "vp8"
  /** RFC 9628, profile 0. */
  | "vp9"
  /** RFC 6184, constrained baseline or baseline. */
  | "h264"
  /** RFC 6184, profile Main. */
  | "h264Main"
  /** RFC 6184, profile High. */
  | "h264High"
  /** AV1 RTP payload format 1.0, profile 0. */
  | "av1";

/** A line of text in the room. */
export type ChatLine = {
    /** Who wrote it. */
    from: MemberId,
    /** Their name when they wrote it. */
    name: string,
    /** What. */
    text: string,
    /** When, in milliseconds since the room came to be. */
    atMs: number, };

/** The code of an `error`. */
export type ErrorCode =
  /** Not JSON, not a known message, a missing, unknown or ill-typed field. */
  | "malformed"
  /** Longer than a message may be. */
  | "tooLarge"
  /** Too many messages in a short time. */
  | "tooFast"
  /** The first message must be `join`. */
  | "notJoined"
  /** A second `join` on one connection. */
  | "alreadyJoined"
  /** A name is empty, too long, or holds characters that a name must not. */
  | "badName"
  /** The room's owner lets nobody new in. */
  | "roomLocked"
  /** Too many wait to be let in. */
  | "lobbyFull"
  /** Only the room's owner may do that, or the owner holds it. */
  | "forbidden"
  /** The place is not kept any more, or the token is not, or no longer, good: `join` instead. */
  | "resumeFailed"
  /** The room holds as many members as it may. */
  | "roomFull"
  /** The node holds as many rooms as it may. */
  | "nodeFull"
  /** The node is about to stop and takes no new rooms. */
  | "draining"
  /** Nobody of that id is in the room. */
  | "noSuchMember"
  /** The source is not published. */
  | "notPublished"
  /** The request belongs to an epoch that is over. */
  | "staleEpoch"
  /** The session description cannot be answered; the message says why. */
  | "badOffer"
  /** A limit of the request's kind was reached; the message says which. */
  | "limit"
  /** The room is, or was just, closed. */
  | "roomClosed"
  /** The node failed; nothing that the client did. */
  | "internal";

/** Why the node ended a connection (`bye`), or why a member is gone (`left`). */
export type Reason =
  /** They left. */
  | "left"
  /** Their connection was lost. */
  | "lost"
  /** No sign of life for 30 s. */
  | "silent"
  /** They did not read what was sent to them fast enough. */
  | "slow"
  /** They broke the protocol or its limits again and again. */
  | "misbehaved"
  /** The room was closed. */
  | "roomClosed"
  /** The owner sent them away. */
  | "removed"
  /** The owner did not let them in. */
  | "denied"
  /** Another connection goes on with their place. */
  | "replaced"
  /** The node stops. */
  | "shutdown"
  /** The room failed on the node; nothing that anybody in it is to blame for. */
  | "failed";
