import { h } from './dom.js';
import { playOn } from './sound.js';

const RATE_HZ = 22_050;
const SECONDS = 0.9;
/** Two notes of a fifth, one after the other. */
const NOTES_HZ = [440, 660];
const HEADER_BYTES = 44;

/**
 * Plays two short notes.
 *
 * @param {string} deviceId of the loudspeaker; empty: the system's choice
 */
export async function playTestSound(deviceId) {
  const address = URL.createObjectURL(new Blob([testSound()], { type: 'audio/wav' }));
  const audio = h('audio', { src: address });
  if (deviceId) playOn(audio, deviceId);
  audio.onended = () => URL.revokeObjectURL(address);
  await audio.play();
}

/** @returns {ArrayBuffer} a WAV file: mono, 16 bit */
export function testSound() {
  const count = Math.round(RATE_HZ * SECONDS);
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + 2 * count));
  writeHeader(view, 2 * count);
  for (let at = 0; at < count; at++) view.setInt16(HEADER_BYTES + 2 * at, 0x7fff * sampleAt(at / RATE_HZ), true);
  return view.buffer;
}

/** @param {number} seconds */
function sampleAt(seconds) {
  const length = SECONDS / NOTES_HZ.length;
  const index = Math.floor(seconds / length);
  const into = seconds - index * length;
  const envelope = Math.min(1, into / 0.02) * Math.exp(-5 * into) * Math.min(1, (length - into) / 0.02);
  return 0.4 * envelope * Math.sin(2 * Math.PI * (NOTES_HZ[index] ?? 0) * into);
}

/**
 * RIFF, WAVE, one `fmt ` chunk for PCM and the head of the `data` chunk.
 *
 * @param {DataView} view
 * @param {number} bytes of samples
 */
function writeHeader(view, bytes) {
  const text = (/** @type {number} */ at, /** @type {string} */ word) => {
    for (let index = 0; index < 4; index++) view.setUint8(at + index, word.charCodeAt(index));
  };
  text(0, 'RIFF');
  view.setUint32(4, HEADER_BYTES - 8 + bytes, true);
  text(8, 'WAVE');
  text(12, 'fmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE_HZ, true);
  view.setUint32(28, 2 * RATE_HZ, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, bytes, true);
}
