import { strings } from '../strings.js';
import { h } from './dom.js';
import { layout } from './layout.js';
import { hueOf, initialsOf, Tile } from './tile.js';

/**
 * @import { Room } from '../motet.js'
 * @import { Feed, Member, MemberId, Want } from '../protocol'
 * @import { Face } from './tile.js'
 *
 * @typedef {{id: string, member: Member, feed: Feed, isOwn: boolean}} Show one tile's content
 */

/** More tiles than this are too small to see anyone. */
const TILES_MAX = 25;
/** Wants are in steps of a layer's height, so that a resized window does not ask again for every pixel. */
const HEIGHT_STEP = 90;
const HEIGHT_MAX = 2160;

/** Everybody's tiles, and what the node should send for them. */
export class Stage {
  #room;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #list = h('ul', { className: 'tiles' });
  element = h('main', { className: 'stage', 'aria-label': strings.people }, this.#list);
  #pinned = '';
  /** @type {Map<MemberId, number>} when each spoke last */
  #spokeAt = new Map();

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    new ResizeObserver(() => this.update()).observe(this.element);
  }

  update() {
    for (const id of this.#room.speakers) this.#spokeAt.set(id, performance.now());
    const shows = this.#shows();
    const staged = shows.filter((show) => this.#isStaged(show));
    const shown = [...staged, ...shows.filter((show) => !staged.includes(show))].slice(0, TILES_MAX);
    this.#reconcile(shown);
    const { clientWidth, clientHeight } = this.element;
    const places = layout(shown.length, staged.length, clientWidth, clientHeight);
    shown.forEach((show, index) => {
      const place = places[index];
      if (place) this.#tiles.get(show.id)?.place(place);
    });
    this.element.classList.toggle('alone', this.#room.members.size < 2);
    this.#room.view(this.#wants(shows, shown, places));
  }

  /** @returns {Show[]} oneself first, then the others in the order of their coming */
  #shows() {
    const you = this.#room.members.get(this.#room.you);
    return [...(you ? [you] : []), ...this.#room.others()].flatMap((member) => {
      const isOwn = member === you;
      const camera = { id: `${member.id}/camera`, member, feed: /** @type {Feed} */ ('camera'), isOwn };
      const screen = { id: `${member.id}/screen`, member, feed: /** @type {Feed} */ ('screen'), isOwn };
      return member.published.some(({ source }) => source === 'screen') ? [camera, screen] : [camera];
    });
  }

  /** @param {Show} show */
  #isStaged({ id, feed, isOwn }) {
    return this.#pinned ? id === this.#pinned : feed === 'screen' && !isOwn;
  }

  /** @param {Show[]} shown */
  #reconcile(shown) {
    for (const [id, tile] of this.#tiles) {
      if (shown.some((show) => show.id === id)) continue;
      tile.remove();
      this.#tiles.delete(id);
    }
    for (const show of shown) {
      let tile = this.#tiles.get(show.id);
      if (!tile) {
        tile = new Tile(() => this.#pin(show.id));
        tile.element.dataset.member = show.member.id;
        tile.element.dataset.feed = show.feed;
        this.#tiles.set(show.id, tile);
        this.#list.append(tile.element);
      }
      tile.update(this.#face(show));
    }
  }

  /**
   * @param {Show} show
   * @returns {Face}
   */
  #face(show) {
    const { member, feed, isOwn, id } = show;
    const isScreen = feed === 'screen';
    const voice = member.published.find(({ source }) => source === 'microphone');
    return {
      ...(isOwn ? this.#ownPicture(show) : this.#picture(show)),
      name: nameOf(show),
      initials: initialsOf(member.name),
      hue: hueOf(member.id),
      isMuted: !isScreen && (isOwn ? !this.#room.media.isOn('microphone') : !voice || voice.muted),
      isSpeaking: !isScreen && this.#room.speakers.includes(member.id),
      isMirrored: isOwn && !isScreen,
      isScreen,
      isPinned: id === this.#pinned,
    };
  }

  /** @param {Show} show */
  #ownPicture({ feed }) {
    const track = this.#room.media.track(feed);
    return { track, key: track?.id ?? '', since: 0 };
  }

  /** @param {Show} show */
  #picture({ member, feed }) {
    const isOn = member.published.some(({ source, muted }) => source === feed && !muted);
    const incoming = isOn ? this.#room.incoming(member, feed) : null;
    return { track: incoming?.video ?? null, key: incoming?.key ?? '', since: incoming?.since ?? 0 };
  }

  /** @param {string} id */
  #pin(id) {
    this.#pinned = this.#pinned === id ? '' : id;
    this.update();
  }

  /**
   * The large first, then who spoke last, then the others; who has no tile is still heard.
   *
   * @param {Show[]} shows
   * @param {Show[]} shown
   * @param {import('./layout.js').Rectangle[]} places
   * @returns {Want[]}
   */
  #wants(shows, shown, places) {
    const rank = (/** @type {Show} */ show) => (show.id === this.#pinned ? 2 : this.#isStaged(show) ? 1 : 0);
    const spoke = (/** @type {Show} */ { member }) => this.#spokeAt.get(member.id) ?? 0;
    // Turns of speech change who is sent only where there are fewer seats than people.
    const scarce = shows.length - 1 > this.#room.seats.length;
    return shows
      .filter(({ isOwn }) => !isOwn)
      .sort((one, other) => rank(other) - rank(one) || (scarce ? spoke(other) - spoke(one) : 0))
      .slice(0, TILES_MAX)
      .map((show) => {
        const height = places[shown.indexOf(show)]?.height ?? 0;
        return { member: show.member.id, feed: show.feed, maxHeight: heightIn(height) };
      });
  }
}

/** @param {number} height in CSS pixels */
function heightIn(height) {
  const pixels = height * window.devicePixelRatio;
  return Math.min(HEIGHT_MAX, Math.ceil(pixels / HEIGHT_STEP) * HEIGHT_STEP);
}

/** @param {Show} show */
function nameOf({ member, feed, isOwn }) {
  if (feed === 'screen') return isOwn ? strings.yourScreen : strings.screenOf(member.name);
  return isOwn ? strings.nameOfYou(member.name) : member.name;
}
