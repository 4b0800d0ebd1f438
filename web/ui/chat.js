import { strings } from '../strings.js';
import { ChatClock, continues } from './chat-times.js';
import { h, icon, setText } from './dom.js';
import { pieces } from './links.js';

/**
 * @import { Room } from '../motet.js'
 * @import { ChatLine } from '../protocol'
 */

const TEXT_MAX = 4_000;
/** Older lines leave the page. */
const LINES_MAX = 500;
/** So near the end counts as the end. */
const END_PX = 40;

/** What people write. */
export class Chat {
  #room;
  #unreadChanged;
  #unread = 0;
  #clock = new ChatClock();
  /** @type {ChatLine | undefined} */
  #last;
  #isOpen = false;
  #lines = h('ol', { className: 'lines' });
  #scroll = h('div', { className: 'scroll', role: 'log', 'aria-live': 'polite', tabIndex: 0, 'aria-label': strings.chat }, this.#lines);
  #empty = h('p', { className: 'quiet empty' }, strings.noMessages);
  #newest = h('button', { type: 'button', className: 'newest', hidden: true }, icon('down'), h('span', {}, strings.toNewest));
  #marker = divider(strings.newMessages, 'new');
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
      h('button', { type: 'submit', className: 'round', title: strings.send, 'aria-label': strings.send }, icon('send')),
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
    this.#newest.onclick = () => this.#toEnd();
    this.#scroll.onscroll = () => (this.#newest.hidden = this.#newest.hidden || this.#isAtEnd());
    this.element = h('div', { className: 'chat' }, this.#empty, this.#scroll, this.#newest, form);
  }

  /** Shows the whole history. */
  fill() {
    const history = this.#room.chat.slice(-LINES_MAX);
    if (this.#last && (history.at(-1)?.atMs ?? 0) < this.#last.atMs) this.#clock.reset();
    this.#lines.replaceChildren();
    this.#last = undefined;
    for (const line of history) this.#append(line);
    if (history.length > 0) {
      this.#lines.append(divider(strings.beforeYou, ''));
      this.#last = undefined;
    }
    this.#showEmpty();
    this.#toEnd();
  }

  /** @param {ChatLine} line */
  add(line) {
    const isOwn = line.from === this.#room.you;
    const follows = this.#isAtEnd() || isOwn;
    if (!this.#isOpen && this.#unread === 0) this.#mark();
    this.#append(line);
    while (this.#lines.childElementCount > LINES_MAX) this.#lines.firstElementChild?.remove();
    if (this.#clock.hear(line, Date.now())) this.#showTimes();
    this.#showEmpty();
    if (follows) this.#toEnd();
    else this.#newest.hidden = !this.#isOpen;
    if (!this.#isOpen) this.#setUnread(this.#unread + 1);
  }

  opened() {
    this.#isOpen = true;
    this.#setUnread(0);
    if (this.#marker.isConnected) this.#marker.scrollIntoView({ block: 'start' });
    else this.#toEnd();
    this.#newest.hidden = this.#isAtEnd();
    this.#input.focus();
  }

  closed() {
    this.#isOpen = false;
    this.#marker.remove();
  }

  async #send() {
    const text = this.#input.value.trim();
    if (!text) return;
    this.#input.value = '';
    if (!(await this.#room.say(text)) && !this.#input.value) this.#input.value = text;
  }

  /** Everything below was not read yet. */
  #mark() {
    if (this.#lines.childElementCount === 0) return;
    this.#lines.append(this.#marker);
    this.#last = undefined;
  }

  /** @param {number} unread */
  #setUnread(unread) {
    this.#unread = unread;
    this.#unreadChanged(unread);
  }

  #showEmpty() {
    this.#empty.hidden = this.#lines.childElementCount > 0;
  }

  #isAtEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroll;
    return scrollTop + clientHeight > scrollHeight - END_PX;
  }

  #toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#newest.hidden = true;
  }

  /** @param {ChatLine} line */
  #append(line) {
    this.#lines.append(this.#line(line, continues(this.#last, line)));
    this.#last = line;
  }

  /**
   * @param {ChatLine} line
   * @param {boolean} goesOn under the name of the line before
   */
  #line({ from, name, text, atMs }, goesOn) {
    const isOwn = from === this.#room.you;
    const who = h('span', { className: goesOn ? 'unseen' : 'who' });
    setText(who, isOwn ? strings.you : name);
    const time = h('time', {});
    time.dataset.at = String(atMs);
    this.#showTime(time);
    const head = h('span', { className: 'said-by' }, who, time);
    return h('li', { className: [isOwn && 'own', goesOn && 'goes-on'].filter(Boolean).join(' ') }, head, textOf(text));
  }

  #showTimes() {
    for (const time of this.#lines.querySelectorAll('time')) this.#showTime(time);
  }

  /** @param {HTMLTimeElement} element */
  #showTime(element) {
    const time = this.#clock.time(Number(element.dataset.at));
    if (!time) return;
    element.dateTime = time.toISOString();
    element.title = time.toLocaleString();
    setText(element, time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  }
}

/** @param {string} text with its links, and nothing else of what it might mean */
function textOf(text) {
  const parts = pieces(text).map(({ text, href }) => (href ? h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, text) : text));
  return h('span', { className: 'text' }, ...parts);
}

/**
 * @param {string} text
 * @param {string} kind
 */
function divider(text, kind) {
  return h('li', { className: `divider ${kind}` }, h('span', {}, text));
}
