/** @import { LocalMedia } from '../media.js' */

const INTERVAL_MS = 100;
/** Louder than this (root mean square, 0 to 1) is speech. */
const LOUD = 0.015;
/** A pause shorter than this does not end a turn. */
const HOLD_MS = 600;

/** Listens to one's own microphone, so that one sees at once that one is heard. */
export class OwnLevel {
  #media;
  #changed;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {MediaStreamAudioSourceNode | null} */
  #source = null;
  /** @type {AnalyserNode | null} */
  #analyser = null;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #timer = 0;
  #loudAt = -Infinity;
  isSpeaking = false;

  /**
   * @param {LocalMedia} media
   * @param {() => void} changed
   */
  constructor(media, changed) {
    this.#media = media;
    this.#changed = changed;
    media.on('change', () => this.#follow());
    // A page that was not clicked yet may not start an audio context.
    document.addEventListener('pointerdown', () => this.#context?.resume().catch(() => {}));
    this.#follow();
  }

  close() {
    window.clearInterval(this.#timer);
    this.#context?.close().catch(() => {});
    this.#context = this.#analyser = this.#track = null;
  }

  #follow() {
    const track = this.#media.isOn('microphone') ? this.#media.track('microphone') : null;
    if (track === this.#track) return;
    this.#track = track;
    window.clearInterval(this.#timer);
    this.#source?.disconnect();
    this.#source = null;
    this.#set(false);
    if (track && typeof AudioContext !== 'undefined') this.#listen(track);
  }

  /** @param {MediaStreamTrack} track */
  #listen(track) {
    try {
      this.#context ??= new AudioContext();
      this.#analyser ??= new AnalyserNode(this.#context, { fftSize: 1024 });
      this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
      this.#source.connect(this.#analyser);
      this.#timer = window.setInterval(() => this.#measure(), INTERVAL_MS);
    } catch {
      // Firefox refuses a microphone whose rate is not the context's; the ring is a comfort only.
    }
  }

  #measure() {
    if (!this.#analyser) return;
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    const now = performance.now();
    if (Math.sqrt(power) > LOUD) this.#loudAt = now;
    this.#set(now - this.#loudAt < HOLD_MS);
  }

  /** @param {boolean} isSpeaking */
  #set(isSpeaking) {
    if (isSpeaking === this.isSpeaking) return;
    this.isSpeaking = isSpeaking;
    this.#changed();
  }
}
