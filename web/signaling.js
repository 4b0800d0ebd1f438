import { Emitter } from './events.js';

/**
 * @import { ClientMessage, ErrorCode, ServerFrame, ServerMessage } from './protocol'
 *
 * @typedef {object} SignalingEvents
 * @property {ServerFrame} message an event of the node, or an error that answers no request
 * @property {void} closed the connection is gone
 */

const SUBPROTOCOL = 'motet.v1';
const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 6_000;
/** Characters of events after which the node is told at once that they arrived: it need not keep them. */
const ARRIVED_MAX = 32 * 1024;
/** Tells the node that the connection broke, where 1000 and 1001 would say that we leave. */
const CLOSE_BROKEN = 4000;

/** The node refused a request, or did not answer it in time (`timeout`, `closed`). */
export class RequestError extends Error {
  /**
   * @param {ErrorCode | 'timeout' | 'closed'} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = 'RequestError';
    this.code = code;
  }
}

/**
 * One WebSocket to the node: requests with ids become promises, everything else is an event.
 *
 * @extends {Emitter<SignalingEvents>}
 */
export class Signaling extends Emitter {
  #socket;
  #arrived;
  #nextId = 1;
  #closed = false;
  /** @type {Map<number, {resolve: (answer: ServerMessage) => void, reject: (error: Error) => void, timer: number}>} */
  #open = new Map();
  #pinging = 0;
  #heard = 0;

  /**
   * @param {WebSocket} socket one that is open
   * @param {() => number} arrived the number of the last event that did
   */
  constructor(socket, arrived) {
    super();
    this.#socket = socket;
    this.#arrived = arrived;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#end();
    this.#pinging = window.setInterval(() => this.ping(PING_TIMEOUT_MS), PING_INTERVAL_MS);
  }

  /**
   * @param {string | URL} url
   * @param {() => number} arrived the number of the last event that did
   * @returns {Promise<Signaling>}
   */
  static connect(url, arrived) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, SUBPROTOCOL);
      const fail = () => {
        socket.onopen = socket.onclose = null;
        socket.close();
        reject(new RequestError('closed', 'The node cannot be reached.'));
      };
      const timer = window.setTimeout(fail, CONNECT_TIMEOUT_MS);
      socket.onopen = () => {
        window.clearTimeout(timer);
        resolve(new Signaling(socket, arrived));
      };
      socket.onclose = () => {
        window.clearTimeout(timer);
        fail();
      };
    });
  }

  /**
   * Says something and waits for the answer.
   *
   * @param {ClientMessage} message
   * @param {number} patience in milliseconds
   * @returns {Promise<ServerMessage>}
   * @throws {RequestError}
   */
  request(message, patience = REQUEST_TIMEOUT_MS) {
    if (this.#closed) return Promise.reject(new RequestError('closed', 'Not connected.'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = window.setTimeout(() => {
        this.#open.delete(id);
        reject(new RequestError('timeout', 'The node did not answer in time.'));
      }, patience);
      this.#open.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...message, id }));
    });
  }

  /**
   * Says something that needs no answer.
   *
   * @param {ClientMessage} message
   */
  tell(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  close() {
    this.#socket.close(1000);
    this.#end();
  }

  /**
   * Tells the node what arrived. If it does not answer in time the connection is given up.
   *
   * @param {number} patience in milliseconds
   */
  async ping(patience) {
    this.#heard = 0;
    try {
      await this.request({ type: 'ping', after: this.#arrived() }, patience);
    } catch (error) {
      if (/** @type {RequestError} */ (error).code !== 'timeout') return;
      this.#socket.close(CLOSE_BROKEN);
      this.#end();
    }
  }

  /** @param {string} text */
  #receive(text) {
    const message = /** @type {ServerFrame} */ (JSON.parse(text));
    const request = 'id' in message && message.id !== undefined ? this.#open.get(message.id) : undefined;
    if (!request || !('id' in message) || message.id === undefined) {
      this.emit('message', message);
      this.#heard += text.length;
      if (this.#heard > ARRIVED_MAX) this.ping(PING_TIMEOUT_MS);
      return;
    }
    this.#open.delete(message.id);
    window.clearTimeout(request.timer);
    if (message.type === 'error') request.reject(new RequestError(message.code, message.message));
    else request.resolve(message);
  }

  #end() {
    if (this.#closed) return;
    this.#closed = true;
    window.clearInterval(this.#pinging);
    for (const { reject, timer } of this.#open.values()) {
      window.clearTimeout(timer);
      reject(new RequestError('closed', 'The connection was lost.'));
    }
    this.#open.clear();
    this.emit('closed', undefined);
  }
}
