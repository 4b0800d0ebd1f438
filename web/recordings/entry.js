import { recorded, strings } from '../strings.js';
import { confirmIn } from '../ui/dialog.js';
import { h } from '../ui/dom.js';
import { dateOf, lengthOf, sizeOf } from './figures.js';
import { Player, titleOf } from './player.js';

/** @import { Library, Recording } from './library.js' */

/** The file of all tracks comes that soon after the end, or not. */
const MERGED_WITHIN_MS = 60_000;

/** One recording in the list. */
export class Entry {
  #library;
  #recording;
  #changed;
  #head = h('div', { className: 'recording-head' });
  #body = h('div', { className: 'recording-body', hidden: true });
  /** @type {HTMLButtonElement | null} */
  #toggle = null;
  /** @type {Player | null} */
  #player = null;
  element = h('li', { className: 'recording' });

  /**
   * @param {Library} library
   * @param {Recording} recording
   * @param {(said?: string) => void} changed something was done to it
   */
  constructor(library, recording, changed) {
    this.#library = library;
    this.#recording = recording;
    this.#changed = changed;
    this.element.dataset.id = recording.id;
    this.element.append(this.#head, this.#body);
    this.#show();
  }

  get isLive() {
    return !this.#recording.ended;
  }

  /** Whether more is to be expected of it by itself. */
  get isMoving() {
    const { roomFile, beganUnixMs, durationMs = 0 } = this.#recording;
    return this.isLive || (!roomFile && Date.now() - beganUnixMs - durationMs < MERGED_WITHIN_MS);
  }

  get isOpen() {
    return this.#player !== null;
  }

  /** @param {Recording} recording the same one, later */
  update(recording) {
    if (JSON.stringify(recording) === JSON.stringify(this.#recording)) return;
    this.#recording = recording;
    const had = document.activeElement instanceof HTMLElement && this.#head.contains(document.activeElement) ? document.activeElement.dataset.tool : undefined;
    this.#show();
    if (had) /** @type {HTMLElement | null} */ (this.#head.querySelector(`[data-tool=${had}]`))?.focus();
  }

  close() {
    this.#player?.close();
    this.#player = null;
  }

  #show() {
    const { room, beganUnixMs, durationMs, bytes, members, ended } = this.#recording;
    const date = dateOf(beganUnixMs);
    const length = this.isLive ? null : lengthOf(durationMs ?? 0);
    const figures = [date, length, sizeOf(bytes)].filter(Boolean).join(' · ');
    const why = ended ? recorded.ends[ended] : null;
    this.element.dataset.state = this.isLive ? 'live' : 'over';
    this.#head.replaceChildren(
      h('h2', {}, room),
      h('p', { className: 'state' }, this.isLive ? h('span', { className: 'live' }, recorded.live) : null),
      h('p', { className: 'quiet small recording-figures' }, figures),
      h('p', { className: 'quiet small recording-who' }, members.join(', ') || recorded.nobody),
      ...(why ? [h('p', { className: 'small recording-why' }, why)] : []),
      h('div', { className: 'recording-actions' }, ...this.#actions(`${room}, ${date}`)),
    );
  }

  /** @param {string} what it is, for those who hear the buttons alone */
  #actions(what) {
    const button = (/** @type {string} */ tool, /** @type {string} */ label, /** @type {() => unknown} */ onclick, className = 'secondary') => {
      const element = h('button', { type: 'button', className, onclick, 'aria-label': `${label}: ${what}` }, label);
      element.dataset.tool = tool;
      return element;
    };
    if (this.isLive) return [button('end', recorded.end, () => this.#end())];
    const { files, roomFile } = this.#recording;
    const remove = button('remove', recorded.remove, () => this.#askToRemove(what), 'secondary removes');
    if (files.length === 0 && !roomFile) return [remove];
    this.#toggle = button('play', this.isOpen ? recorded.hide : recorded.play, () => this.#turn(), 'primary');
    this.#toggle.setAttribute('aria-expanded', String(this.isOpen));
    return [this.#toggle, remove];
  }

  async #turn() {
    const isOpen = this.isOpen;
    this.close();
    this.#body.hidden = isOpen;
    if (isOpen) this.#body.replaceChildren();
    else {
      // It may have run out while the page lay open.
      await this.#library.openSession().catch(() => {});
      this.#player = new Player(this.#library, this.#recording);
      this.#body.replaceChildren(this.#player.element, this.#downloads());
    }
    this.#show();
    this.#toggle?.focus();
  }

  #downloads() {
    const { files, roomFile } = this.#recording;
    const link = (/** @type {string} */ name, /** @type {string} */ title, /** @type {string} */ figures) =>
      h('li', {}, h('a', { href: `${this.#library.address(this.#recording, name)}?download`, download: '' }, title), h('span', { className: 'quiet small' }, figures));
    const links = [
      ...(roomFile ? [link(roomFile.name, recorded.everyoneFile, sizeOf(roomFile.bytes))] : []),
      ...files.map((file) => link(file.name, titleOf(file, files), `${lengthOf(file.durationMs)}, ${file.codec.toUpperCase()}, ${sizeOf(file.bytes)}`)),
      link('speakers.vtt', recorded.whoSpeaks, 'WebVTT'),
      link('manifest.json', recorded.manifest, 'JSON'),
    ];
    return h('details', { className: 'downloads' }, h('summary', {}, recorded.download), h('ul', {}, ...links));
  }

  async #end() {
    await this.#library.end(this.#recording).catch(() => {});
    this.#changed();
  }

  /** @param {string} what */
  #askToRemove(what) {
    confirmIn(document.body, { question: recorded.removeQuestion(what), yes: recorded.remove, no: strings.cancel, act: () => this.#remove(what) });
  }

  /** @param {string} what */
  async #remove(what) {
    this.close();
    try {
      await this.#library.remove(this.#recording);
      this.#changed(recorded.removed(what));
    } catch {
      this.#changed(recorded.failed);
    }
  }
}
