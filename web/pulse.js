const LOOK_MS = 250;
/** Media that flowed for so long and then does not arrive for `patience` has lost its path. */
const SETTLED_MS = 1_500;
/** A path gets so long to come back before it is looked for again. */
const AGAIN_MS = 3_000;

/**
 * Watches whether media arrives on a connection. ICE takes five seconds or more to say that a path
 * is gone; whoever is listening to somebody notices within one.
 */
export class Pulse {
  #connection;
  #expects;
  #lost;
  #patience;
  #timer;
  /** Of the newest packet, in the browser's own counting. */
  #newest = 0;
  #arrivedAt = 0;
  #flowsSince = 0;
  #lostAt = 0;

  /**
   * @param {RTCPeerConnection} connection
   * @param {object} options
   * @param {number} options.patience milliseconds without a packet
   * @param {() => boolean} options.expects whether anybody sends
   * @param {() => void} options.lost
   */
  constructor(connection, { patience, expects, lost }) {
    this.#connection = connection;
    this.#patience = patience;
    this.#expects = expects;
    this.#lost = lost;
    this.#timer = window.setInterval(() => this.#look(), LOOK_MS);
  }

  stop() {
    window.clearInterval(this.#timer);
  }

  #look() {
    if (this.#connection.connectionState === 'closed') return this.stop();
    const now = performance.now();
    const newest = newestOf(this.#connection);
    if (newest !== this.#newest) {
      if (now - this.#arrivedAt > this.#patience) this.#flowsSince = now;
      this.#newest = newest;
      this.#arrivedAt = now;
      this.#lostAt = 0;
      return;
    }
    const flowed = this.#flowsSince > 0 && this.#arrivedAt - this.#flowsSince > SETTLED_MS;
    const isMissing = flowed && now - this.#arrivedAt > this.#patience && now - this.#lostAt > AGAIN_MS;
    // A page that was held up itself finds old packets and no new ones: it looks once more.
    if (!isMissing || !this.#expects()) return;
    this.#lostAt = now;
    this.#lost();
  }
}

/** @param {RTCPeerConnection} connection */
function newestOf(connection) {
  const sources = connection.getReceivers().flatMap((receiver) => receiver.getSynchronizationSources?.() ?? []);
  return Math.max(0, ...sources.map(({ timestamp }) => timestamp));
}
