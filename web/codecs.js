/**
 * Which codecs are offered, and how video is layered.
 *
 * Offers list dozens of codecs that nobody uses; trimmed to these they are a quarter of the size.
 *
 * @import { PictureCodec } from './protocol'
 *
 * @typedef {RTCRtpEncodingParameters & {codec?: RTCRtpCodec, scalabilityMode?: string}} Encoding
 */

const AUDIO = ['audio/opus', 'audio/red'];
const VIDEO = ['video/vp8', 'video/vp9', 'video/h264', 'video/av1', 'video/rtx'];

/** A variant of H264 that every browser decodes: constrained baseline, single NAL units or FU-A. */
const H264 = /^(?=.*packetization-mode=1)(?=.*profile-level-id=42[ce]0)/i;
/** Variants whose decoders take High, which encoders that are no browsers send: High, and 4:4:4 Predictive. */
const H264_HIGH = ['64', 'f4'].map((profile) => new RegExp(`^(?=.*packetization-mode=1)(?=.*profile-level-id=${profile})`, 'i'));
const OTHER_VP9 = /profile-id=[1-3]/;
const OTHER_AV1 = /profile=[12]/;

/**
 * Keeps the codecs above, in that order. A browser without the call keeps its own list.
 *
 * @param {RTCRtpTransceiver} transceiver
 * @param {object} [options]
 * @param {boolean} [options.receives] it only receives: what others send and we do not is kept as well
 * @param {PictureCodec} [options.first] goes before the others
 */
export function trimCodecs(transceiver, { receives = false, first } = {}) {
  const kind = transceiver.receiver.track.kind;
  const known = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const order = kind === 'audio' ? AUDIO : VIDEO;
  const kept = order.flatMap((type) => known.filter((codec) => isKept(codec, type)));
  const high = receives ? H264_HIGH.map((profile) => known.find((codec) => isH264(codec, profile))).find(Boolean) : undefined;
  if (high) kept.push(high);
  if (kept.length === 0 || !transceiver.setCodecPreferences) return;
  const isFirst = (/** @type {RTCRtpCodec} */ codec) => first !== undefined && isNamed(codec, first);
  transceiver.setCodecPreferences([...kept.filter(isFirst), ...kept.filter((codec) => !isFirst(codec))]);
}

/**
 * Has a sender encode as another codec that was negotiated, if the browser can without a new offer.
 *
 * @param {RTCRtpTransceiver} transceiver
 * @param {PictureCodec} name
 * @returns {Promise<boolean>} whether it does
 */
export async function encodeAs({ sender }, name) {
  const parameters = sender.getParameters();
  const codec = parameters.codecs?.find((known) => isNamed(known, name));
  if (!codec || parameters.encodings.length === 0) return false;
  const { mimeType, clockRate, sdpFmtpLine } = codec;
  for (const encoding of /** @type {Encoding[]} */ (parameters.encodings)) {
    encoding.codec = { mimeType, clockRate, ...(sdpFmtpLine ? { sdpFmtpLine } : {}) };
    // Without it there is one layer of these only.
    if (name === 'vp9' || name === 'av1') encoding.scalabilityMode = 'L1T1';
  }
  try {
    await sender.setParameters(parameters);
  } catch (error) {
    console.warn('another codec', error);
    return false;
  }
  // Who does not know the word passes over it.
  return /** @type {Encoding[]} */ (sender.getParameters().encodings).every(({ codec: now }) => now?.mimeType.toLowerCase() === mimeType.toLowerCase());
}

/**
 * @param {RTCRtpCodec} codec
 * @param {PictureCodec} name
 */
function isNamed(codec, name) {
  const type = `video/${name.startsWith('h264') ? 'h264' : name}`;
  return isKept(codec, type);
}

/**
 * @param {RTCRtpCodec} codec
 * @param {RegExp} profile
 */
function isH264({ mimeType, sdpFmtpLine }, profile) {
  return mimeType.toLowerCase() === 'video/h264' && profile.test(sdpFmtpLine ?? '');
}

/**
 * Firefox leaves the `rtcp-fb` lines of trimmed codecs behind, and Chromium refuses a description
 * with feedback for a payload type that is not on its m-line.
 *
 * @param {string} sdp
 * @returns {string} the same without such lines
 */
export function withoutStrayFeedback(sdp) {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => {
      const listed = /^m=\S+ \S+ \S+ (.*)$/m.exec(section)?.[1]?.trim().split(' ');
      return section.replace(/^a=rtcp-fb:(\d+) .*\r?\n/gm, (line, type) => (listed?.includes(type) === false ? '' : line));
    })
    .join('');
}

/**
 * @param {RTCRtpCodec} codec
 * @param {string} type
 */
function isKept(codec, type) {
  if (codec.mimeType.toLowerCase() !== type) return false;
  const parameters = codec.sdpFmtpLine ?? '';
  if (type === 'video/h264') return H264.test(parameters);
  if (type === 'video/vp9') return !OTHER_VP9.test(parameters);
  if (type === 'video/av1') return !OTHER_AV1.test(parameters);
  return true;
}

/**
 * The simulcast layers of a camera, lowest first. Chromium sends only the first one or two of the
 * list when the picture is small, so small pictures get fewer: the full size must be among them.
 *
 * @param {number} height of the captured picture, in pixels
 * @returns {RTCRtpEncodingParameters[]}
 */
export function cameraLayers(height) {
  const all = [
    { rid: 'q', scale: 4 },
    { rid: 'h', scale: 2 },
    { rid: 'f', scale: 1 },
  ];
  const count = height < 270 ? 1 : height < 540 ? 2 : 3;
  return all.slice(-count).map(({ rid, scale }) => ({
    rid,
    scaleResolutionDownBy: scale,
    maxBitrate: bitrateFor(height / scale),
  }));
}

/** Bits per second allowed for a picture of this height. */
const BITRATES = [
  { height: 1080, bitrate: 2_800_000 },
  { height: 720, bitrate: 1_700_000 },
  { height: 480, bitrate: 900_000 },
  { height: 360, bitrate: 600_000 },
  { height: 180, bitrate: 200_000 },
  { height: 0, bitrate: 100_000 },
];

/** @param {number} height */
export function bitrateFor(height) {
  return BITRATES.find((step) => height >= step.height)?.bitrate ?? 100_000;
}

export const SCREEN_BITRATE = 2_500_000;
