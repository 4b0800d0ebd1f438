import { settings } from '../settings.js';
import { h } from './dom.js';

/**
 * @typedef {{id: string, key: string, track: MediaStreamTrack}} Voice
 *   `id` is whose, `key` changes when it comes by another way
 */

/** An old way stops being played when the new one is, or after this long. */
const OVERLAP_MAX_MS = 400;

/** Plays everybody's sound, apart from their pictures, so that it never waits for a frame. */
export class Sounds {
  element = h('div', { hidden: true });
  #blocked;
  /** @type {Map<string, {key: string, audio: HTMLAudioElement}>} */
  #playing = new Map();
  #sink = settings.get('speakerId');

  /** @param {(isBlocked: boolean) => void} blocked the browser wants a click first, or no longer */
  constructor(blocked) {
    this.#blocked = blocked;
    settings.on('change', ({ speakerId }) => {
      if (speakerId !== undefined) this.setSink(speakerId);
    });
  }

  /** @param {string} deviceId of the loudspeaker that plays everybody; empty: the system's choice */
  setSink(deviceId) {
    this.#sink = deviceId;
    for (const { audio } of this.#playing.values()) playOn(audio, deviceId);
  }

  /** @param {Voice[]} voices */
  reconcile(voices) {
    for (const [id, { audio }] of this.#playing) {
      if (voices.some((voice) => voice.id === id)) continue;
      audio.remove();
      audio.srcObject = null;
      this.#playing.delete(id);
    }
    for (const voice of voices) this.#play(voice);
  }

  /** Plays what was blocked; to be called from a click. */
  resume() {
    this.#blocked(false);
    for (const { audio } of this.#playing.values()) this.#start(audio);
  }

  /** @param {Voice} voice */
  #play({ id, key, track }) {
    const before = this.#playing.get(id);
    if (before?.key === key) return;
    const audio = h('audio', { autoplay: true, srcObject: new MediaStream([track]) });
    if (this.#sink) playOn(audio, this.#sink);
    this.#playing.set(id, { key, audio });
    this.element.append(audio);
    if (before) this.#relieve(before.audio, audio);
    this.#start(audio);
  }

  /**
   * @param {HTMLAudioElement} old
   * @param {HTMLAudioElement} next
   */
  #relieve(old, next) {
    const stop = () => {
      old.remove();
      old.srcObject = null;
    };
    next.addEventListener('playing', stop, { once: true });
    window.setTimeout(stop, OVERLAP_MAX_MS);
  }

  /** @param {HTMLAudioElement} audio */
  #start(audio) {
    audio.play().catch((error) => {
      if (error.name === 'NotAllowedError') this.#blocked(true);
    });
  }
}

/** Whether this browser lets a page choose the loudspeaker. */
export const canChooseSink = 'setSinkId' in (globalThis.HTMLMediaElement?.prototype ?? {});

/**
 * @param {HTMLAudioElement} audio
 * @param {string} deviceId
 */
export function playOn(audio, deviceId) {
  // A loudspeaker that was unplugged is refused: the system's choice plays on.
  if (canChooseSink) audio.setSinkId(deviceId).catch(() => {});
}
