import { strings } from '../strings.js';
import { h } from './dom.js';
import { capacity, layout } from './layout.js';
import { settings } from '../settings.js';
import { Pager } from './pager.js';
import { Qualities, qualityOf } from './quality.js';
import { handsOf, isHeld } from './member.js';
import { neighbour } from './rover.js';
import { sendsPicture } from '../feeds.js';
import { SEATS_MAX, showsOf, stagedOf, VOICES, wantsOf } from './shows.js';
import { hueOf, initialsOf, Tile } from './tile.js';

/**
 * @import { Room } from '../motet.js'
 * @import { MemberId, Reaction } from '../protocol'
 * @import { Rectangle } from './layout.js'
 * @import { Show } from './shows.js'
 * @import { Face } from './tile.js'
 *
 * @typedef {object} StageOptions
 * @property {(anchor: HTMLElement, show: Show) => void} menu opens what can be done about a tile
 * @property {() => boolean} isSpeaking whether one's own microphone hears speech
 * @property {() => boolean} isAway whether nobody looks
 */

const PAGER_HEIGHT = 48;
/** Whoever is shown large stays so for this long, however many interject. */
const TURN_MS = 2_000;

/** Everybody's tiles, and what the node should send for them. */
export class Stage {
  #room;
  #options;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #list = h('ul', { className: 'tiles', 'aria-label': strings.people });
  #pager = new Pager((page) => this.turnTo(page));
  element = h('main', { className: 'stage', 'aria-label': strings.people }, this.#list, this.#pager.element);
  #pinned = '';
  #page = 0;
  /** @type {'grid' | 'speaker'} */
  #view = settings.get('view');
  /** @type {MemberId} */
  #active = '';
  #activeSince = -Infinity;
  /** @type {Map<MemberId, number>} when each spoke last */
  #spokeAt = new Map();
  #qualities = new Qualities();
  /** @type {Show[]} */
  #shown = [];
  /** @type {Rectangle[]} */
  #places = [];
  /** Kept, as asking for it makes the browser lay out the page at once. */
  #size = { width: 0, height: 0 };

  /**
   * @param {Room} room
   * @param {StageOptions} options
   */
  constructor(room, options) {
    this.#room = room;
    this.#options = options;
    this.#list.onkeydown = (event) => this.#key(event);
    this.#list.addEventListener('focusin', ({ target }) => this.#rove(target));
    new ResizeObserver(() => {
      this.#size = { width: this.element.clientWidth, height: this.element.clientHeight };
      this.update();
    }).observe(this.element);
  }

  get view() {
    return this.#view;
  }

  /** The other member who speaks, or spoke last. */
  get active() {
    return this.#active;
  }

  update() {
    this.#listen();
    const shows = showsOf(this.#room);
    const staged = stagedOf(shows, { pinned: this.#pinned, view: this.#view, active: this.#active });
    const { shown, height } = this.#turned(shows, staged);
    this.#reconcile(shown);
    this.#shown = shown;
    this.#places = layout(shown.length, staged.length, this.#size.width, height);
    shown.forEach((show, index) => {
      const place = this.#places[index];
      if (place) this.#tiles.get(show.id)?.place(place);
    });
    this.#room.view(this.#wants(shows, staged));
  }

  /** @param {'grid' | 'speaker'} view */
  setView(view) {
    this.#view = view;
    this.#page = 0;
    settings.set({ view });
    this.update();
  }

  /** @param {number} page */
  turnTo(page) {
    this.#page = page;
    this.update();
  }

  /** @param {1 | -1} step */
  turn(step) {
    this.#pager.go(step);
  }

  /** @param {string} id */
  isPinned(id) {
    return id === this.#pinned;
  }

  /** @param {string} id */
  pin(id) {
    this.#pinned = this.#pinned === id ? '' : id;
    this.update();
  }

  /**
   * @param {MemberId} member
   * @param {Reaction} reaction
   */
  react(member, reaction) {
    this.#tiles.get(`${member}/camera`)?.react(reaction);
  }

  /** Keeps who spoke when, and whose turn it is. */
  #listen() {
    const now = performance.now();
    for (const id of this.#room.speakers) this.#spokeAt.set(id, now);
    const speaker = this.#room.speakers.find((id) => id !== this.#room.you && this.#room.members.has(id));
    if (!speaker || speaker === this.#active || now - this.#activeSince < TURN_MS) return;
    this.#active = speaker;
    this.#activeSince = now;
  }

  /**
   * The tiles of the page that is open, and the height there is for them.
   *
   * @param {Show[]} shows
   * @param {Show[]} staged
   */
  #turned(shows, staged) {
    const rest = shows.filter((show) => !staged.includes(show));
    const { width, height: whole } = this.#size;
    const most = Math.max(1, (shows.length > SEATS_MAX + 1 ? SEATS_MAX - VOICES : SEATS_MAX) - staged.length);
    const fits = (/** @type {number} */ height) => capacity(staged.length > 0, width, height, Math.min(most, Math.max(1, rest.length)));
    const isOne = fits(whole) >= rest.length;
    const height = isOne ? whole : Math.max(0, whole - PAGER_HEIGHT);
    const pages = Math.max(1, Math.ceil(rest.length / fits(height)));
    const each = Math.ceil(rest.length / pages);
    this.#page = Math.min(this.#page, pages - 1);
    this.#pager.update(this.#page, pages);
    return { shown: [...staged, ...rest.slice(this.#page * each, (this.#page + 1) * each)], height };
  }

  /** @param {Show[]} shown */
  #reconcile(shown) {
    for (const [id, tile] of this.#tiles) {
      if (shown.some((show) => show.id === id)) continue;
      tile.remove();
      this.#tiles.delete(id);
    }
    const hands = handsOf(this.#room.members.values());
    for (const show of shown) this.#tile(show).update(this.#face(show, hands));
    const stops = [...this.#tiles.values()].map(({ stop }) => stop);
    if (stops[0] && !stops.some(({ tabIndex }) => tabIndex === 0)) stops[0].tabIndex = 0;
  }

  /** @param {Show} show */
  #tile(show) {
    let tile = this.#tiles.get(show.id);
    if (!tile) {
      tile = new Tile({ pin: () => this.pin(show.id), stuck: () => this.#room.rebuild(show.member), menu: (anchor) => this.#openMenu(anchor, show.id) });
      tile.element.dataset.member = show.member.id;
      tile.element.dataset.feed = show.feed;
      this.#tiles.set(show.id, tile);
      this.#list.append(tile.element);
    }
    return tile;
  }

  /**
   * @param {HTMLElement} anchor
   * @param {string} id
   */
  #openMenu(anchor, id) {
    const show = this.#shown.find((shown) => shown.id === id);
    if (show) this.#options.menu(anchor, show);
  }

  /**
   * @param {Show} show
   * @param {MemberId[]} hands
   * @returns {Face}
   */
  #face(show, hands) {
    const { member, feed, isOwn, id } = show;
    const isScreen = feed === 'screen';
    const voice = member.published.find(({ source }) => source === 'microphone');
    return {
      ...(isOwn ? this.#ownPicture(show) : this.#picture(show)),
      name: nameOf(show),
      initials: initialsOf(member.name),
      hue: hueOf(member.id),
      isMuted: !isScreen && (isOwn ? !this.#room.media.isOn('microphone') : !voice || voice.muted),
      isHeld: isHeld(member),
      isSpeaking: !isScreen && (isOwn ? this.#options.isSpeaking() : this.#room.speakers.includes(member.id)),
      isMirrored: isOwn && !isScreen,
      isScreen,
      isPinned: id === this.#pinned,
      hand: isScreen ? 0 : hands.indexOf(member.id) + 1,
      note: isOwn ? '' : this.#noteOn(show),
    };
  }

  /** @param {Show} show */
  #noteOn({ member, feed }) {
    if (member.presence === 'reconnecting') return strings.presenceLost;
    const { exceptions } = this.#room;
    if (exceptions.some((exception) => exception.member === member.id && exception.path === 'none')) return strings.noPath;
    const codec = sendsPicture(member, feed) ? this.#room.incoming(member, feed)?.undecodable : null;
    return codec ? strings.undecodable(codec.replace(/(main|high)$/i, '').toUpperCase()) : '';
  }

  /**
   * @param {Show} show
   * @returns {Pick<Face, 'track' | 'key' | 'since' | 'decoded' | 'quality'>}
   */
  #ownPicture({ feed }) {
    const track = this.#room.media.track(feed);
    return { track, key: track?.id ?? '', since: 0, decoded: 0, quality: 0 };
  }

  /**
   * @param {Show} show
   * @returns {Pick<Face, 'track' | 'key' | 'since' | 'decoded' | 'quality'>}
   */
  #picture({ id, member, feed }) {
    const isOn = member.published.some(({ source, muted }) => source === feed && !muted);
    const incoming = this.#room.incoming(member, feed);
    const quality = this.#qualities.see(id, qualityOf(incoming), incoming?.connection);
    if (!isOn || !incoming) return { track: null, key: '', since: 0, decoded: 0, quality };
    const decoded = incoming.videoStats?.framesDecoded ?? 0;
    return { track: incoming.video, key: incoming.key, since: incoming.since, decoded, quality };
  }

  /**
   * @param {Show[]} shows
   * @param {Show[]} staged
   */
  #wants(shows, staged) {
    return wantsOf({
      shows,
      staged,
      shown: this.#shown,
      places: this.#places,
      isScarce: shows.length - 1 > this.#room.seats.length,
      isAway: this.#options.isAway(),
      spokeAt: (id) => this.#spokeAt.get(id) ?? 0,
      pixelRatio: window.devicePixelRatio,
    });
  }

  /** @param {KeyboardEvent} event an arrow goes to the tile in that direction */
  #key(event) {
    const at = this.#shown.findIndex(({ id }) => this.#tiles.get(id)?.element.contains(/** @type {Node} */ (event.target)));
    const to = neighbour(event.key, at, this.#places);
    const next = this.#shown[to];
    if (at < 0 || !next) return;
    event.preventDefault();
    this.#tiles.get(next.id)?.stop.focus();
  }

  /** @param {EventTarget | null} target becomes the one tile that the Tab key stops at */
  #rove(target) {
    for (const { stop } of this.#tiles.values()) {
      if (stop === target) for (const other of this.#tiles.values()) other.stop.tabIndex = other.stop === stop ? 0 : -1;
    }
  }
}

/** @param {Show} show */
function nameOf({ member, feed, isOwn }) {
  if (feed === 'screen') return isOwn ? strings.yourScreen : strings.screenOf(member.name);
  return isOwn ? strings.nameOfYou(member.name) : member.name;
}
