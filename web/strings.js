/** @import { ErrorCode, Mode, Reason } from './protocol' */

/** Everything that people read. */
export const strings = {
  product: 'Motet',
  tagline: 'A room for many voices. No account, nothing to install.',
  yourName: 'Your name',
  roomName: 'Room',
  roomHint: 'Leave empty for a new room',
  withMicrophone: 'Microphone',
  withCamera: 'Camera',
  join: 'Join',
  joining: 'Joining…',
  needName: 'Please say who you are.',
  guest: 'Guest',

  you: 'You',
  nameOfYou: (/** @type {string} */ name) => `${name} (you)`,
  screenOf: (/** @type {string} */ name) => `${name}’s screen`,
  yourScreen: 'Your screen',
  alone: 'You are the first one here.',
  aloneHint: 'Send the link to those you are waiting for.',

  microphone: 'Microphone',
  camera: 'Camera',
  share: 'Share screen',
  chat: 'Chat',
  people: 'People',
  leave: 'Leave',
  close: 'Close',
  pin: (/** @type {string} */ name) => `Show ${name} large`,
  unpin: (/** @type {string} */ name) => `Show ${name} among the others`,
  muted: 'microphone off',
  speaking: 'speaking',
  copyLink: 'Copy link',
  linkCopied: 'The link is in your clipboard.',
  linkNotCopied: (/** @type {string} */ link) => `Copy it yourself: ${link}`,
  clickToHear: 'Click to hear the others',
  clickToHearHint: 'Your browser holds the sound back until you click.',

  connecting: 'Connecting…',
  reconnecting: 'The connection was lost. Trying again…',
  mode: (/** @type {Mode} */ mode) => (mode === 'mesh' ? 'Peer to peer' : 'Over the node'),
  switching: (/** @type {Mode} */ mode) => (mode === 'mesh' ? 'Moving to peer to peer…' : 'Moving over to the node…'),
  cameIn: (/** @type {string} */ name) => `${name} came in.`,
  wentAway: (/** @type {string} */ name) => `${name} left.`,

  message: 'Message',
  send: 'Send',
  noMessages: 'Nothing was written yet.',
  unread: (/** @type {number} */ count) => `${count} unread`,

  devices: 'Devices',
  device: (/** @type {number} */ number) => `Device ${number}`,
  noStatistics: 'nothing arrives yet',
  video: 'Video',
  sound: 'Sound',
  sent: 'Sent',
  path: 'Path',
  picture: (/** @type {number} */ width, /** @type {number} */ height, /** @type {number} */ fps) =>
    `${width}×${height}, ${Math.round(fps)} fps`,
  bitrate: (/** @type {number} */ bits) =>
    bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mb/s` : `${Math.round(bits / 1e3)} kb/s`,
  loss: (/** @type {number} */ percent) => `${percent.toFixed(1)}\u00a0%\u00a0lost`,
  rtt: (/** @type {number} */ ms) => `${ms} ms`,
  candidate: (/** @type {string} */ type) =>
    ({ host: 'direct', srflx: 'through NAT', prflx: 'through NAT', relay: 'relayed' })[type] ?? type,

  noDevices: 'No camera or microphone could be opened. You can see and hear the others.',
  denied: 'The browser was not allowed to use your camera or microphone. You can see and hear the others.',
  noMicrophone: 'No microphone could be opened. The others cannot hear you.',
  noCamera: 'No camera could be opened. The others cannot see you.',
  insecure: 'Browsers open cameras and microphones only on https pages (or on localhost).',
  noScreen: 'The screen could not be shared.',

  ended: 'You left the room.',
  rejoin: 'Join again',
  otherRoom: 'Another room',
  couldNotJoin: 'You could not join.',
};

/** @type {Record<Reason, string>} */
export const reasons = {
  left: 'You left the room.',
  lost: 'The connection was lost.',
  silent: 'The node heard nothing from this page for too long.',
  slow: 'This page could not keep up with the room.',
  misbehaved: 'The node closed the connection because this page broke its rules.',
  roomClosed: 'The room was closed.',
  removed: 'The room’s owner sent you away.',
  denied: 'The room’s owner did not let you in.',
  replaced: 'The call goes on in another window.',
  shutdown: 'The node is being restarted.',
};

/** @type {Record<ErrorCode | 'timeout' | 'closed', string>} */
export const errors = {
  malformed: 'The node did not understand this page. Reloading may help.',
  tooLarge: 'That was too long.',
  tooFast: 'That was too much at once. Please wait a moment.',
  notJoined: 'You are not in the room.',
  alreadyJoined: 'You are in the room already.',
  badName: 'This name cannot be used: at most 64 characters, and no invisible ones.',
  roomLocked: 'The room’s owner lets nobody new in.',
  lobbyFull: 'Too many people are waiting to be let in.',
  forbidden: 'Only the room’s owner may do that.',
  resumeFailed: 'Your place in the room was given up.',
  roomFull: 'The room is full.',
  nodeFull: 'The node has no place for another room.',
  noSuchMember: 'They are no longer here.',
  staleEpoch: 'That came too late.',
  badOffer: 'The node could not use what this browser offers.',
  notPublished: 'That is not being sent.',
  limit: 'A limit was reached.',
  roomClosed: 'The room was closed.',
  internal: 'Something failed on the node.',
  timeout: 'The node did not answer in time.',
  closed: 'The node cannot be reached.',
};
