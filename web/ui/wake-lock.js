/** Keeps the screen on during a call, where the browser can. */
export class WakeLock {
  /** @type {WakeLockSentinel | null} */
  #lock = null;
  #isWanted = true;

  constructor() {
    // The browser lets go of it whenever the page is hidden.
    document.addEventListener('visibilitychange', this.#ask);
    this.#ask();
  }

  release() {
    this.#isWanted = false;
    document.removeEventListener('visibilitychange', this.#ask);
    this.#lock?.release().catch(() => {});
    this.#lock = null;
  }

  #ask = async () => {
    if (!this.#isWanted || document.hidden || (this.#lock && !this.#lock.released)) return;
    try {
      this.#lock = (await navigator.wakeLock?.request('screen')) ?? null;
      if (!this.#isWanted) this.release();
    } catch {
      // Saving power goes first; the call works without.
    }
  };
}
