import { strings } from '../strings.js';
import { h, icon } from './dom.js';

/** Turns the pages of tiles: buttons, and a dot for each page. */
export class Pager {
  #turn;
  #back = button('left', strings.previousPage);
  #next = button('right', strings.nextPage);
  #dots = h('div', { className: 'dots' });
  #page = 0;
  #pages = 1;
  element = h('nav', { className: 'pager', hidden: true, 'aria-label': strings.page(1, 1) }, this.#back, this.#dots, this.#next);

  /** @param {(page: number) => void} turn */
  constructor(turn) {
    this.#turn = turn;
    this.#back.onclick = () => this.go(-1);
    this.#next.onclick = () => this.go(1);
  }

  /** @param {1 | -1} step */
  go(step) {
    const page = this.#page + step;
    if (page >= 0 && page < this.#pages) this.#turn(page);
  }

  /**
   * @param {number} page from 0
   * @param {number} pages
   */
  update(page, pages) {
    this.element.hidden = pages < 2;
    if (page === this.#page && pages === this.#pages) return;
    this.#page = page;
    this.#pages = pages;
    this.element.setAttribute('aria-label', strings.page(page + 1, pages));
    this.#back.disabled = page === 0;
    this.#next.disabled = page === pages - 1;
    this.#dots.replaceChildren(...Array.from({ length: pages }, (_, index) => this.#dot(index)));
  }

  /** @param {number} index */
  #dot(index) {
    const dot = h('button', { type: 'button', className: 'dot', 'aria-label': strings.page(index + 1, this.#pages) });
    if (index === this.#page) dot.setAttribute('aria-current', 'page');
    dot.onclick = () => this.#turn(index);
    return dot;
  }
}

/**
 * @param {string} symbol
 * @param {string} label
 */
function button(symbol, label) {
  return h('button', { type: 'button', className: 'round', title: label, 'aria-label': label }, icon(symbol));
}
