import { h } from './dom.js';
import { StuckWatch } from './stuck.js';

/** Frames of whoever sat on a seat before may still come out of the jitter buffer for so long. */
const TAIL_MS = 120;
const POLL_MS = 250;

/**
 * A place for moving pictures: what is shown stays until the next one has a frame to show.
 */
export class Picture {
  element = h('div', { className: 'picture' });
  #key = '';
  /** @type {HTMLVideoElement | null} */
  #shown = null;
  /** @type {HTMLVideoElement | null} */
  #coming = null;
  #stuck = new StuckWatch();

  /** Called when nothing is drawn of what is decoded. */
  onstuck = () => {};

  /** Whether a frame is being shown. */
  get isLive() {
    return this.#shown !== null;
  }

  /** The track of what is shown, or comes. */
  get track() {
    const stream = (this.#coming ?? this.#shown)?.srcObject;
    return stream instanceof MediaStream ? (stream.getVideoTracks()[0] ?? null) : null;
  }

  /**
   * @param {MediaStreamTrack | null} track
   * @param {string} key tells apart pictures that come out of the same track
   * @param {number} since when the track began to carry it, on `performance.now()`'s clock
   * @param {number} decoded frames that the browser decoded of it so far; 0 where that is not known
   */
  show(track, key, since, decoded) {
    if (!track) return this.clear();
    if (key === this.#key) return this.#watch(decoded);
    const sameTracks = this.#key.startsWith('node/') && key.startsWith('node/');
    this.#key = key;
    // The old element's track may carry someone else by now: its last frame is all that is theirs.
    if (sameTracks) this.#shown?.pause();
    this.#coming?.remove();
    this.#coming = this.#open(track, since + TAIL_MS);
  }

  /** @param {number} decoded */
  #watch(decoded) {
    const drawn = this.#shown?.getVideoPlaybackQuality?.().totalVideoFrames ?? 0;
    if (this.#stuck.look({ drawn, decoded, isVisible: document.visibilityState === 'visible' })) this.onstuck();
  }

  clear() {
    this.#key = '';
    this.#coming?.remove();
    this.#shown?.remove();
    this.#coming = this.#shown = null;
  }

  /**
   * @param {MediaStreamTrack} track
   * @param {number} notBefore
   */
  #open(track, notBefore) {
    const video = h('video', {
      className: 'coming',
      muted: true,
      autoplay: true,
      playsInline: true,
      srcObject: new MediaStream([track]),
    });
    this.element.append(video);
    video.play().catch(() => {
      // Muted pictures play everywhere; an element that was removed meanwhile does not matter.
    });
    this.#await(video, notBefore);
    return video;
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {number} notBefore
   */
  #await(video, notBefore) {
    const look = () => {
      if (this.#coming !== video) return window.clearInterval(poll);
      if (performance.now() < notBefore || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return ask();
      window.clearInterval(poll);
      this.#promote(video);
    };
    const ask = () => video.requestVideoFrameCallback?.(look);
    // A page in the background draws no frames, so nobody calls back.
    const poll = window.setInterval(look, POLL_MS);
    ask();
  }

  /** @param {HTMLVideoElement} video */
  #promote(video) {
    this.#shown?.remove();
    this.#shown = video;
    this.#coming = null;
    video.classList.remove('coming');
  }
}
