const PATIENCE_MS = 1_000;

/** Whether anybody looks: a page in the background, with no picture of its own in front, is only heard. */
export class Attention {
  #changed;
  #timer = 0;
  #isElsewhere;
  isAway = false;

  /**
   * @param {() => boolean} isElsewhere whether pictures are shown outside the page
   * @param {() => void} changed
   */
  constructor(isElsewhere, changed) {
    this.#isElsewhere = isElsewhere;
    this.#changed = changed;
    document.addEventListener('visibilitychange', this.check);
    this.check();
  }

  check = () => {
    window.clearTimeout(this.#timer);
    if (document.hidden && !this.#isElsewhere()) this.#timer = window.setTimeout(() => this.#set(true), PATIENCE_MS);
    else this.#set(false);
  };

  close() {
    window.clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.check);
  }

  /** @param {boolean} isAway */
  #set(isAway) {
    if (isAway === this.isAway) return;
    this.isAway = isAway;
    this.#changed();
  }
}
