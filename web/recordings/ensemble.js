import { h } from '../ui/dom.js';

/**
 * @typedef {object} Part a file that plays along
 * @property {string} url
 * @property {number} atMs when it begins
 * @property {number} durationMs
 * @property {string} [title] under a picture; without one it is sound
 */

/** How far a part may be off before it is moved; less is caught up with by playing a little faster or slower. */
const JUMP_SECONDS = 0.3;
const EXACT_SECONDS = 0.04;
const CATCH_UP = 0.08;

/**
 * Others who play along with the element that has the controls: a file with several tracks plays one picture
 * and one sound in a browser, so the rest come from files of their own.
 */
export class Ensemble {
  #leader;
  #leaderAtMs;
  /** @type {{part: Part, element: HTMLMediaElement, figure: HTMLElement | null}[]} */
  #followers = [];
  #ended = new AbortController();
  element = h('div', { className: 'followers' });

  /**
   * @param {HTMLMediaElement} leader
   * @param {number} leaderAtMs when what it plays begins
   * @param {Part[]} parts
   */
  constructor(leader, leaderAtMs, parts) {
    this.#leader = leader;
    this.#leaderAtMs = leaderAtMs;
    for (const part of parts) this.#add(part);
    const { signal } = this.#ended;
    const follow = () => this.#follow();
    for (const name of ['play', 'playing', 'pause', 'waiting', 'seeking', 'seeked', 'ratechange', 'timeupdate', 'ended', 'volumechange']) {
      leader.addEventListener(name, follow, { signal });
    }
    this.#follow();
  }

  close() {
    this.#ended.abort();
    for (const { element } of this.#followers) silence(element);
    this.#followers = [];
  }

  /** @param {Part} part */
  #add(part) {
    const { title } = part;
    if (title === undefined) {
      const element = h('audio', {});
      this.#followers.push({ part, element, figure: null });
      this.#load(element, part.url);
      return;
    }
    const element = h('video', { src: part.url, muted: true, playsInline: true, preload: 'auto', 'aria-hidden': 'true', tabIndex: -1 });
    const figure = h('figure', {}, element, h('figcaption', {}, title));
    this.element.append(figure);
    this.#followers.push({ part, element, figure });
  }

  /**
   * Sounds are small and are fetched whole: a browser has six connections to a node, and a player that
   * waits keeps one.
   *
   * @param {HTMLAudioElement} element
   * @param {string} url
   */
  async #load(element, url) {
    const { signal } = this.#ended;
    try {
      const response = await fetch(url, { signal });
      if (!response.ok) return;
      const address = URL.createObjectURL(await response.blob());
      signal.addEventListener('abort', () => URL.revokeObjectURL(address));
      if (signal.aborted) return URL.revokeObjectURL(address);
      element.src = address;
      element.onloadedmetadata = () => this.#follow();
    } catch {
      // The others play on.
    }
  }

  #follow() {
    for (const follower of this.#followers) this.#align(follower);
  }

  /** @param {{part: Part, element: HTMLMediaElement, figure: HTMLElement | null}} follower */
  #align({ part, element, figure }) {
    const leader = this.#leader;
    const at = leader.currentTime + (this.#leaderAtMs - part.atMs) / 1_000;
    const isOn = at >= 0 && at < part.durationMs / 1_000;
    if (figure) figure.hidden = !isOn;
    else [element.volume, element.muted] = [leader.volume, leader.muted];
    const plays = isOn && !leader.paused && !leader.ended && !leader.seeking && leader.readyState >= 3;
    if (element.readyState < 1) return;
    const off = isOn ? at - element.currentTime : 0;
    if (Math.abs(off) > (plays ? JUMP_SECONDS : EXACT_SECONDS)) element.currentTime = at;
    element.playbackRate = leader.playbackRate * (1 + (Math.abs(off) > EXACT_SECONDS ? Math.sign(off) * CATCH_UP : 0));
    if (plays && element.paused) element.play().catch(() => {});
    if (!plays && !element.paused) element.pause();
  }
}

/**
 * Lets go of what an element has loaded.
 *
 * @param {HTMLMediaElement} element
 */
export function silence(element) {
  element.pause();
  element.removeAttribute('src');
  element.load();
}
