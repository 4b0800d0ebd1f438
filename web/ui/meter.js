import { strings } from '../strings.js';
import { h, setText } from './dom.js';

/** What is softer than this, in dBFS, shows nothing. */
const FLOOR_DB = -60;
/** Speech; a quiet room stays below. */
const SPEECH = 0.35;
/** Screen readers are told of a change this often at most. */
const SPOKEN_INTERVAL_MS = 1_000;

/** How loud the own microphone is, as a bar; says once that it hears something. */
export class Meter {
  #bar = h('span', { className: 'bar-of-level' });
  #gauge = h('div', { className: 'level', role: 'meter', 'aria-label': strings.level, 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': 0 }, this.#bar);
  #said = h('span', { className: 'unseen', role: 'status' });
  element = h('div', { hidden: true }, this.#gauge, this.#said);
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #frame = 0;
  #spokenAt = 0;
  /** The loudest since then. */
  #peak = 0;

  /** @param {MediaStreamTrack | null} track whose level to show; nothing: hides itself */
  show(track) {
    if (track === this.#track) return;
    this.close();
    this.#track = track;
    this.element.hidden = true;
    if (track && globalThis.AudioContext) this.#measure(track);
  }

  /** Stops measuring. */
  close() {
    cancelAnimationFrame(this.#frame);
    document.removeEventListener('pointerdown', this.#wake);
    document.removeEventListener('keydown', this.#wake);
    if (this.#context) this.#context.onstatechange = null;
    this.#context?.close();
    this.#context = null;
    this.#track = null;
  }

  // A browser may hold all sound work back until somebody touches the page.
  #wake = () => this.#context?.resume();

  /** @param {MediaStreamTrack} track */
  #measure(track) {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    document.addEventListener('pointerdown', this.#wake);
    document.addEventListener('keydown', this.#wake);
    this.#context = context;
    // A bar that does not move would say that the microphone hears nothing.
    context.onstatechange = () => (this.element.hidden = context.state !== 'running');
    const samples = new Float32Array(analyser.fftSize);
    const look = () => {
      analyser.getFloatTimeDomainData(samples);
      this.#draw(levelOf(samples));
      this.#frame = requestAnimationFrame(look);
    };
    look();
  }

  /** @param {number} level from 0 to 1 */
  #draw(level) {
    this.#bar.style.transform = `scaleX(${level.toFixed(3)})`;
    if (level > SPEECH) setText(this.#said, strings.heard);
    this.#peak = Math.max(this.#peak, level);
    const now = performance.now();
    if (now - this.#spokenAt < SPOKEN_INTERVAL_MS) return;
    this.#gauge.setAttribute('aria-valuenow', String(Math.round(this.#peak * 100)));
    this.#spokenAt = now;
    this.#peak = 0;
  }
}

/**
 * @param {Float32Array} samples from -1 to 1
 * @returns {number} loudness from 0 to 1, even to the ear
 */
export function levelOf(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const db = 10 * Math.log10(Math.max(power, 1e-12));
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}
