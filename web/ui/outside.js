/** Pictures outside the page: picture in picture of who speaks, and the full screen. */

/** Follows one track after the other in a window that stays in front, where the browser has one. */
export class PictureInPicture {
  #video = document.createElement('video');
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.addEventListener('enterpictureinpicture', () => changed());
    this.#video.addEventListener('leavepictureinpicture', () => this.#left());
  }

  static get isPossible() {
    return Boolean(document.pictureInPictureEnabled);
  }

  get isOpen() {
    return document.pictureInPictureElement === this.#video;
  }

  /** @param {MediaStreamTrack | null} track what to show from now on; without one the last picture stays */
  follow(track) {
    const stream = this.#video.srcObject;
    if (!this.isOpen || !track || (stream instanceof MediaStream && stream.getTracks()[0] === track)) return;
    this.#show(track);
  }

  /**
   * To be called from a click.
   *
   * @param {MediaStreamTrack | null} track
   */
  async toggle(track) {
    if (this.isOpen) return document.exitPictureInPicture();
    if (!track) return;
    this.#show(track);
    // Its size must be known before it may leave the page.
    if (this.#video.readyState < HTMLMediaElement.HAVE_METADATA) {
      await new Promise((resolve) => this.#video.addEventListener('loadedmetadata', resolve, { once: true }));
    }
    await this.#video.requestPictureInPicture();
  }

  close() {
    if (this.isOpen) document.exitPictureInPicture().catch(() => {});
    this.#left();
  }

  /** @param {MediaStreamTrack} track */
  #show(track) {
    this.#video.srcObject = new MediaStream([track]);
    this.#video.play().catch(() => {
      // It was replaced or closed meanwhile.
    });
  }

  #left() {
    this.#video.srcObject = null;
    this.#changed();
  }
}

export const fullScreen = {
  get isPossible() {
    return Boolean(document.fullscreenEnabled);
  },

  get isOn() {
    return Boolean(document.fullscreenElement);
  },

  async toggle() {
    try {
      await (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
    } catch {
      // The browser asks for a click of its own, or forbids it here.
    }
  },
};
