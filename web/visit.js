import { webSocketUrl } from './base.js';
import { exposeForTests } from './hook.js';
import { Room } from './motet.js';
import { strings } from './strings.js';
import { Call, deviceProblem } from './ui/call.js';
import { UnreachablePage, WaitingPage } from './ui/waiting.js';

/**
 * @import { LocalMedia } from './media.js'
 * @import { RoomState } from './motet.js'
 * @import { Query } from './query.js'
 * @import { Ending } from './ui/ended.js'
 *
 * @typedef {object} VisitOptions
 * @property {string} room
 * @property {string} name
 * @property {string} ownerKey nothing for guests
 * @property {LocalMedia} media
 * @property {Query} query
 * @property {(page: HTMLElement, redraw: (() => void) | null) => void} show with what draws it once more
 *   in another language; nothing for the page of the room, which stays as it is
 * @property {(ending: Ending) => void} ended
 * @property {() => void} retry starts another visit in place of this one
 */

/** One stay in a room, from the first attempt to get in until it ends; decides which page is shown. */
export class Visit {
  #options;
  #room;
  #call;
  #isAbandoned = false;

  /** @param {VisitOptions} options */
  constructor(options) {
    this.#options = options;
    const { room, name, ownerKey, media, query } = options;
    const known = { url: webSocketUrl(), room, name, media, seats: query.seats, sfuOnly: query.sfuOnly, ownerKey: ownerKey || undefined };
    this.#room = new Room(known);
    exposeForTests(this.#room);
    this.#call = new Call(this.#room, room);
    this.#room.on('state', (state) => this.#follow(state));
    this.#room.on('ended', ({ reason, error }) => {
      if (!this.#isAbandoned) options.ended({ reason, error });
    });
    options.show(this.#call.element, null);
  }

  /** @param {{microphone: boolean, camera: boolean}} [wanted] devices to open first */
  async begin(wanted) {
    if (wanted) this.#tell(await this.#options.media.open(wanted));
    await this.#room.join();
  }

  /** @param {RoomState} state */
  #follow(state) {
    const { show, room } = this.#options;
    if (state === 'joined' && !this.#call.element.isConnected) show(this.#call.element, null);
    if (state === 'waiting') this.#show(() => new WaitingPage({ room, leave: () => this.#room.leave() }));
    if (state === 'unreachable') this.#show(() => new UnreachablePage({ retry: () => this.#again() }));
  }

  /** @param {() => {element: HTMLElement}} make */
  #show(make) {
    const draw = () => this.#options.show(make().element, draw);
    draw();
  }

  #again() {
    this.#isAbandoned = true;
    this.#room.leave();
    this.#options.retry();
  }

  /** @param {{microphone: unknown, camera: unknown}} missing */
  #tell({ microphone, camera }) {
    if (microphone && camera) this.#call.notice(deviceProblem('both', camera));
    else if (microphone) this.#call.notice(deviceProblem('microphone', microphone));
    else if (camera) this.#call.notice(deviceProblem('camera', camera));
  }
}

/** @param {string} room the title of its page */
export function titleOf(room) {
  return room ? `${room} · ${strings.product}` : strings.product;
}
