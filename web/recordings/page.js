import { recorded } from '../strings.js';
import { h } from '../ui/dom.js';
import { textField } from '../ui/form.js';
import { focusSoon, pageOf } from '../ui/page.js';
import { Entry } from './entry.js';
import { Refusal } from './library.js';

/** @import { Library, Recording, Shelf } from './library.js' */

/** How often a list with something that goes on is asked for again. */
const AGAIN_MS = 4_000;

/** Everything that the node has recorded, newest first. */
export class RecordingsPage {
  #library;
  #said = h('p', { className: 'quiet', role: 'status' });
  #list = h('ul', { className: 'recordings' });
  #foot = h('div', { className: 'recordings-foot' });
  #content;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  #timer = 0;
  #isClosed = false;
  element;

  /** @param {Library} library */
  constructor(library) {
    this.#library = library;
    this.#content = h('div', { className: 'shelf' });
    this.element = pageOf({ kind: 'library', content: [h('h1', {}, recorded.title), this.#said, this.#content] });
    this.#open();
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const entry of this.#entries.values()) entry.close();
  }

  async #open() {
    if (!this.#library.hasToken) return this.#content.replaceChildren(this.#question(false));
    this.#said.textContent = recorded.loading;
    try {
      const shelf = await this.#library.list();
      await this.#library.openSession();
      this.#content.replaceChildren(this.#list, this.#foot);
      this.#said.textContent = '';
      this.#show(shelf);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {unknown} error */
  #fail(error) {
    const isForbidden = error instanceof Refusal && error.isForbidden;
    this.#said.textContent = isForbidden ? '' : recorded.unreachable;
    if (isForbidden) this.#content.replaceChildren(this.#question(true));
    else this.#content.replaceChildren(h('button', { type: 'button', className: 'secondary', onclick: () => this.#open() }, recorded.again));
  }

  /** @param {boolean} wasWrong */
  #question(wasWrong) {
    const field = textField(recorded.token, { type: 'password', name: 'token', required: true, maxLength: 1_024, autocomplete: 'current-password' });
    const problem = h('p', { className: 'problem', role: 'alert' }, wasWrong ? recorded.wrongToken : '');
    const form = h('form', { className: 'card' }, h('p', {}, recorded.tokenNeeded), field.label, problem, h('button', { type: 'submit', className: 'primary' }, recorded.show));
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#library.useToken(field.input.value);
      this.#open();
    };
    focusSoon(field.input);
    return form;
  }

  /** @param {Shelf} shelf the first of them: what is not on it and should be is gone */
  #show({ recordings, next }) {
    const oldest = recordings.at(-1)?.beganUnixMs ?? 0;
    const isAll = !next;
    const here = new Set(recordings.map(({ id }) => id));
    for (const [id, entry] of this.#entries) {
      const began = Number(entry.element.dataset.began);
      if (!here.has(id) && (isAll || began >= oldest)) this.#drop(id);
    }
    this.#put(recordings, true);
    if (this.#entries.size === recordings.length) this.#end(next);
    this.#await();
  }

  /**
   * @param {Recording[]} recordings
   * @param {boolean} isFirst they are the newest
   */
  #put(recordings, isFirst) {
    /** @type {Element | null} */
    let before = null;
    for (const recording of recordings) {
      const known = this.#entries.get(recording.id);
      const entry = known ?? new Entry(this.#library, recording, (said) => this.#again(said));
      known?.update(recording);
      if (!known) {
        entry.element.dataset.began = String(recording.beganUnixMs);
        this.#entries.set(recording.id, entry);
        if (before) before.after(entry.element);
        else if (isFirst) this.#list.prepend(entry.element);
        else this.#list.append(entry.element);
      }
      before = entry.element;
    }
  }

  /** @param {string | null} [next] where the list goes on */
  #end(next) {
    const more = next && h('button', { type: 'button', className: 'secondary', onclick: () => this.#more(next) }, recorded.more);
    const forget = this.#library.hasToken && h('button', { type: 'button', className: 'plain small', onclick: () => this.#forget() }, recorded.forget);
    const none = this.#entries.size === 0 && h('p', { className: 'quiet' }, recorded.none);
    this.#foot.replaceChildren(...[none, more, forget].filter((part) => part !== false && part !== '' && part !== null && part !== undefined));
  }

  /** @param {string} after */
  async #more(after) {
    try {
      const { recordings, next } = await this.#library.list(after);
      this.#put(recordings, false);
      this.#end(next);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {string} [said] */
  async #again(said) {
    if (said) this.#said.textContent = said;
    try {
      const shelf = await this.#library.list();
      if (!this.#isClosed) this.#show(shelf);
    } catch {
      this.#await();
    }
  }

  #await() {
    clearTimeout(this.#timer);
    const isMoving = [...this.#entries.values()].some((entry) => entry.isMoving);
    if (isMoving && !this.#isClosed) this.#timer = window.setTimeout(() => this.#again(), AGAIN_MS);
  }

  async #forget() {
    await this.#library.closeSession().catch(() => {});
    this.close();
    this.#isClosed = false;
    this.#entries.clear();
    this.#list.replaceChildren();
    this.#open();
  }

  /** @param {string} id */
  #drop(id) {
    const entry = this.#entries.get(id);
    entry?.close();
    entry?.element.remove();
    this.#entries.delete(id);
    if (this.#entries.size === 0) this.#end();
  }
}
