const LOOK_MS = 200;
/** While what flowed has just stopped; where nothing comes for long, looking closer is for nothing. */
const LOOK_CLOSER_MS = 75;
const CLOSER_FOR_MS = 3_000;
/** Media that flowed for so long and then does not arrive for `patience` has lost its path. */
const SETTLED_MS = 1_500;
/** Without media for so long there is a first doubt. */
const DOUBT_MS = 300;
/**
 * When a path is looked for again, after the first time: soon, because Chromium learns of another
 * network only two seconds after the change, then with more patience.
 */
const AGAIN_MS = [1_500, 3_000];

/**
 * Watches whether media arrives on a connection. ICE takes five seconds or more to say that a path
 * is gone; whoever is listening to somebody notices within one.
 */
export class Pulse {
  #connection;
  #expects;
  #doubt;
  #lost;
  #patience;
  #timer;
  #stopped = false;
  #lookedAt = 0;
  /** Of the newest packet, in the browser's own counting. */
  #newest = 0;
  #arrivedAt = 0;
  #flowsSince = 0;
  #lostAt = 0;
  #tries = 0;
  #doubts = false;

  /**
   * @param {RTCPeerConnection} connection
   * @param {object} options
   * @param {number} options.patience milliseconds without a packet
   * @param {() => boolean} options.expects whether anybody sends
   * @param {() => void} options.doubt nothing came for a moment
   * @param {() => void} options.lost
   */
  constructor(connection, { patience, expects, doubt, lost }) {
    this.#connection = connection;
    this.#patience = patience;
    this.#expects = expects;
    this.#doubt = doubt;
    this.#lost = lost;
    this.#timer = window.setTimeout(() => this.#beat(), LOOK_MS);
  }

  stop() {
    this.#stopped = true;
    window.clearTimeout(this.#timer);
  }

  /** The other side looks for a path already. */
  tried() {
    this.#tries = Math.max(this.#tries, 1);
    this.#lostAt = performance.now();
  }

  #beat() {
    if (this.#connection.connectionState === 'closed') return;
    this.#look();
    if (this.#stopped) return;
    const silence = this.#lookedAt - this.#arrivedAt;
    const isNew = this.#flowsSince > 0 && silence > 0 && silence < CLOSER_FOR_MS;
    this.#timer = window.setTimeout(() => this.#beat(), isNew ? LOOK_CLOSER_MS : LOOK_MS);
  }

  #look() {
    const now = performance.now();
    this.#lookedAt = now;
    const newest = newerThan(this.#newest, this.#connection);
    if (newest !== null) {
      if (!this.#flowsSince || now - this.#arrivedAt > this.#patience) this.#flowsSince = now;
      this.#newest = newest;
      this.#arrivedAt = now;
      this.#lostAt = this.#tries = 0;
      this.#doubts = false;
      return;
    }
    const flowed = this.#flowsSince > 0 && this.#arrivedAt - this.#flowsSince > SETTLED_MS;
    const silence = now - this.#arrivedAt;
    if (!flowed || silence < DOUBT_MS || !this.#expects()) return;
    if (!this.#doubts) this.#doubt();
    this.#doubts = true;
    const pause = AGAIN_MS[Math.min(this.#tries, AGAIN_MS.length) - 1] ?? 0;
    if (silence < this.#patience || now - this.#lostAt < pause) return;
    this.#tries += 1;
    this.#lostAt = now;
    this.#lost();
  }
}

/**
 * Asks no more receivers than it must: each makes the page wait for the browser's network thread.
 *
 * @param {number} known
 * @param {RTCPeerConnection} connection
 * @returns {number | null} when a newer packet arrived than that
 */
function newerThan(known, connection) {
  for (const receiver of connection.getReceivers()) {
    if (receiver.track.muted) continue;
    for (const { timestamp } of receiver.getSynchronizationSources?.() ?? []) if (timestamp > known) return timestamp;
  }
  return null;
}
