import { h, icon } from './dom.js';

/**
 * @typedef {object} Item
 * @property {string} label
 * @property {string} [icon]
 * @property {string} [hint] a key that does the same
 * @property {boolean} [checked] makes it one of several to choose from
 * @property {boolean} [isDangerous]
 * @property {() => unknown} act
 */

const MARGIN = 8;
const NEXT = new Set(['ArrowDown', 'ArrowRight']);
const BEFORE = new Set(['ArrowUp', 'ArrowLeft']);

/** One menu at a time, beside the button that opened it; for mouse, touch and keyboard. */
export class Menu {
  #list = h('div', { className: 'menu', role: 'menu', hidden: true });
  /** @type {HTMLElement | null} */
  #anchor = null;
  element = this.#list;

  constructor() {
    this.#list.onkeydown = (event) => this.#key(event);
    this.#list.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget instanceof Node && !this.#list.contains(relatedTarget)) this.close(false);
    });
    document.addEventListener('pointerdown', ({ target }) => {
      const isInside = target instanceof Node && (this.#list.contains(target) || this.#anchor?.contains(target));
      if (!isInside) this.close(false);
    });
    window.addEventListener('resize', () => this.close(false));
  }

  get isOpen() {
    return this.#anchor !== null;
  }

  /**
   * Opens beside a button, or closes if it is open there.
   *
   * @param {HTMLElement} anchor
   * @param {string} label
   * @param {Item[]} items
   * @param {{isRow?: boolean}} [options] `isRow`: pictures in a row
   */
  toggle(anchor, label, items, { isRow = false } = {}) {
    const wasHere = this.#anchor === anchor;
    this.close(false);
    if (wasHere) return;
    this.#anchor = anchor;
    anchor.setAttribute('aria-expanded', 'true');
    this.#list.setAttribute('aria-label', label);
    this.#list.classList.toggle('in-row', isRow);
    this.#list.replaceChildren(...items.map((item) => this.#item(item)));
    this.#list.hidden = false;
    this.#place(anchor);
    this.#items()[Math.max(0, items.findIndex(({ checked }) => checked))]?.focus();
  }

  /**
   * Shows other items where it is open.
   *
   * @param {HTMLElement} anchor
   * @param {Item[]} items
   */
  refresh(anchor, items) {
    if (this.#anchor !== anchor) return;
    const at = this.#items().indexOf(/** @type {HTMLElement} */ (document.activeElement));
    this.#list.replaceChildren(...items.map((item) => this.#item(item)));
    this.#place(anchor);
    this.#items()[Math.max(0, at)]?.focus();
  }

  /** @param {boolean} [refocus] whether the button that opened it gets the focus back */
  close(refocus = true) {
    const anchor = this.#anchor;
    if (!anchor) return;
    this.#anchor = null;
    anchor.setAttribute('aria-expanded', 'false');
    if (refocus) anchor.focus();
    this.#list.hidden = true;
  }

  /** @param {Item} item */
  #item({ label, icon: symbol, hint, checked, isDangerous, act }) {
    const isChoice = checked !== undefined;
    const properties = { type: 'button', tabIndex: -1, role: isChoice ? 'menuitemradio' : 'menuitem', className: isDangerous ? 'item dangerous' : 'item' };
    const mark = symbol ? icon(symbol) : isChoice ? icon('check') : null;
    const key = hint ? h('kbd', { 'aria-hidden': 'true' }, hint) : null;
    const element = h('button', properties, mark, h('span', { className: 'text' }, label), key);
    if (isChoice) element.setAttribute('aria-checked', String(checked));
    if (hint) element.setAttribute('aria-keyshortcuts', hint);
    element.title = label;
    element.onclick = () => {
      this.close();
      act();
    };
    return element;
  }

  /** @returns {HTMLElement[]} */
  #items() {
    return [...this.#list.querySelectorAll('button')];
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const items = this.#items();
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const go = (/** @type {number} */ to) => items[(to + items.length) % items.length]?.focus();
    if (event.key === 'Escape') this.close();
    else if (event.key === 'Tab') return this.close();
    else if (NEXT.has(event.key)) go(at + 1);
    else if (BEFORE.has(event.key)) go(at - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {HTMLElement} anchor above or below it, wherever there is more room, within the window */
  #place(anchor) {
    const { style } = this.#list;
    style.maxHeight = '';
    const box = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#list;
    const isAbove = box.top > window.innerHeight - box.bottom;
    const room = (isAbove ? box.top : window.innerHeight - box.bottom) - 2 * MARGIN;
    const tall = Math.min(height, room);
    style.maxHeight = `${room}px`;
    const left = box.left + box.width / 2 - width / 2;
    style.left = `${Math.max(MARGIN, Math.min(left, window.innerWidth - width - MARGIN))}px`;
    style.top = `${isAbove ? box.top - tall - MARGIN : box.bottom + MARGIN}px`;
  }
}
