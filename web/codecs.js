/**
 * Which codecs are offered, and how video is layered.
 *
 * Offers list dozens of codecs that nobody uses; trimmed to these they are a quarter of the size.
 */

const AUDIO = ['audio/opus', 'audio/red'];
const VIDEO = ['video/vp8', 'video/vp9', 'video/h264', 'video/av1', 'video/rtx'];

/** A variant of H264 that every browser decodes: constrained baseline, single NAL units or FU-A. */
const H264 = /^(?=.*packetization-mode=1)(?=.*profile-level-id=42[ce]0)/i;
const OTHER_VP9 = /profile-id=[1-3]/;
const OTHER_AV1 = /profile=[12]/;

/**
 * Keeps the codecs above, in that order. A browser without the call keeps its own list.
 *
 * @param {RTCRtpTransceiver} transceiver
 */
export function trimCodecs(transceiver) {
  const kind = transceiver.receiver.track.kind;
  const known = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const order = kind === 'audio' ? AUDIO : VIDEO;
  const kept = order.flatMap((type) => known.filter((codec) => isKept(codec, type)));
  if (kept.length === 0 || !transceiver.setCodecPreferences) return;
  transceiver.setCodecPreferences(kept);
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
