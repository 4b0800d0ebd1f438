import { strings } from '../strings.js';
import { h, icon, setText } from './dom.js';

/**
 * @import { Room } from '../motet.js'
 * @import { ChatLine } from '../protocol'
 */

const TEXT_MAX = 4_000;
/** Older lines leave the page. */
const LINES_MAX = 500;

/** What people write. */
export class Chat {
  #room;
  #unreadChanged;
  #unread = 0;
  #lines = h('ol', { className: 'lines', 'aria-live': 'polite', tabIndex: 0, 'aria-label': strings.chat });
  #empty = h('p', { className: 'quiet empty' }, strings.noMessages);
  #input = h('textarea', { rows: 1, maxLength: TEXT_MAX, placeholder: strings.message, 'aria-label': strings.message });
  element;

  /**
   * @param {Room} room
   * @param {(unread: number) => void} unreadChanged
   */
  constructor(room, unreadChanged) {
    this.#room = room;
    this.#unreadChanged = unreadChanged;
    const form = h(
      'form',
      { className: 'say' },
      this.#input,
      h('button', { type: 'submit', className: 'round', 'aria-label': strings.send }, icon('send')),
    );
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    this.#input.onkeydown = (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    };
    this.element = h('div', { className: 'chat' }, this.#empty, this.#lines, form);
  }

  /** Shows the whole history. */
  fill() {
    this.#lines.replaceChildren(...this.#room.chat.slice(-LINES_MAX).map((line) => this.#line(line)));
    this.#settle();
  }

  /** @param {ChatLine} line */
  add(line) {
    this.#lines.append(this.#line(line));
    while (this.#lines.childElementCount > LINES_MAX) this.#lines.firstElementChild?.remove();
    this.#settle();
    if (this.element.checkVisibility?.() ?? this.element.offsetParent) return;
    this.#unread += 1;
    this.#unreadChanged(this.#unread);
  }

  opened() {
    this.#unread = 0;
    this.#unreadChanged(0);
    this.#settle();
    this.#input.focus();
  }

  async #send() {
    const text = this.#input.value.trim();
    if (!text) return;
    this.#input.value = '';
    if (!(await this.#room.say(text)) && !this.#input.value) this.#input.value = text;
  }

  #settle() {
    this.#empty.hidden = this.#lines.childElementCount > 0;
    this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  /** @param {ChatLine} line */
  #line({ from, name, text }) {
    const who = h('span', { className: 'who' });
    setText(who, from === this.#room.you ? strings.you : name);
    return h('li', { className: from === this.#room.you ? 'own' : '' }, who, h('span', { className: 'text' }, text));
  }
}
