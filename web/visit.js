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
 * @property {string[]} ownerKeys what may make them the owner, in the order in which it is tried
 * @property {(key: string) => void} owned that key did
 * @property {LocalMedia} media
 * @property {Query} query
 * @property {(page: HTMLElement, redraw: (() => void) | null) => void} show with what draws it once more
 *   in another language; nothing for the page of the room, which stays as it is
 * @property {(ending: Ending) => void} ended
 * @property {(ownerKeys?: string[]) => void} retry starts another visit in place of this one, with these keys alone
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
    const { room, name, ownerKeys, media, query } = options;
    const known = { url: webSocketUrl(), room, name, media, seats: query.seats, sfuOnly: query.sfuOnly, ownerKey: ownerKeys[0] };
    this.#room = new Room(known);
    exposeForTests(this.#room);
    this.#call = new Call(this.#room, room);
    this.#room.on('state', (state) => this.#follow(state));
    this.#room.on('ended', ({ reason, error }) => {
      if (this.#isAbandoned) return;
      if (error?.code === 'roomLocked' && this.#hasMoreKeys) return this.#again(options.ownerKeys.slice(1));
      options.ended({ reason, error });
    });
    options.show(this.#call.element, null);
  }

  /**
   * @param {object} options
   * @param {{microphone: boolean, camera: boolean}} [options.wanted] devices to open first
   * @param {boolean} options.isByLink nobody has clicked
   */
  async begin({ wanted, isByLink }) {
    if (wanted) this.#tell(await this.#options.media.open(wanted));
    if (isByLink) this.#call.notice(strings.joinedByLink);
    await this.#room.join();
  }

  /** @param {RoomState} state */
  #follow(state) {
    const { show, room, ownerKeys } = this.#options;
    const isOwner = state === 'joined' && this.#room.role === 'owner';
    if (isOwner && ownerKeys[0]) this.#options.owned(ownerKeys[0]);
    // A key that is not the room's may hide one that is.
    if (!isOwner && (state === 'joined' || state === 'waiting') && this.#hasMoreKeys) return this.#again(ownerKeys.slice(1));
    if (state === 'joined' && !this.#call.element.isConnected) show(this.#call.element, null);
    if (state === 'waiting') this.#show(() => new WaitingPage({ room, leave: () => this.#room.leave() }));
    if (state === 'unreachable') this.#show(() => new UnreachablePage({ retry: () => this.#again() }));
  }

  /** @param {() => {element: HTMLElement}} make */
  #show(make) {
    const draw = () => this.#options.show(make().element, draw);
    draw();
  }

  /** @param {string[]} [ownerKeys] */
  #again(ownerKeys) {
    this.#isAbandoned = true;
    this.#room.leave();
    this.#options.retry(ownerKeys);
  }

  get #hasMoreKeys() {
    return this.#options.ownerKeys.length > 1;
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
