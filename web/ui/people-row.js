import { strings } from '../strings.js';
import { h, icon, setIcon, setText } from './dom.js';
import { isHeld } from './member.js';
import { hueOf, initialsOf } from './tile.js';

/**
 * @import { Member } from '../protocol'
 * @import { Figure } from './details.js'
 *
 * @typedef {object} RowState
 * @property {number} hand place among the raised hands, from 1; 0: down
 * @property {boolean} isOpen whether the figures are shown
 * @property {Figure[]} figures
 */

/** One person in the list: their signs, what can be done about them, and their figures. */
export class Row {
  #name = h('span', { className: 'name' });
  #role = h('span', { className: 'role', hidden: true }, strings.owner);
  #kind = h('span', { className: 'away quiet', hidden: true });
  #note = h('span', { className: 'away quiet', hidden: true }, strings.presenceLost);
  #hand = h('span', { className: 'hand', hidden: true }, icon('hand'), h('b', {}), h('span', { className: 'unseen' }, strings.handUp));
  #microphone = sign();
  #camera = sign();
  #figures = h('dl', { className: 'figures', hidden: true });
  #who;
  element;

  /**
   * @param {Member} member
   * @param {object} options
   * @param {boolean} options.isOwn
   * @param {() => void} options.toggle shows or hides the figures
   * @param {(anchor: HTMLElement) => void} options.menu
   */
  constructor(member, { isOwn, toggle, menu }) {
    setText(this.#name, isOwn ? strings.nameOfYou(member.name) : member.name);
    const avatar = h('span', { className: 'avatar', 'aria-hidden': 'true' }, initialsOf(member.name));
    const text = h('span', { className: 'who-text' }, this.#name, this.#role, this.#kind, this.#note);
    const kind = member.kind && strings.kinds[member.kind];
    this.#kind.hidden = !kind;
    setText(this.#kind, kind || '');
    this.#who = h('button', { type: 'button', className: 'who', 'aria-expanded': 'false', title: strings.showDetails, onclick: toggle }, avatar, text);
    const more = h('button', { type: 'button', className: 'round', 'aria-haspopup': 'menu', 'aria-expanded': 'false', 'aria-label': strings.moreAbout(member.name) }, icon('more'));
    more.onclick = () => menu(more);
    const head = h('div', { className: 'head' }, this.#who, this.#hand, this.#microphone.element, this.#camera.element, more);
    this.element = h('li', { className: 'row' }, head, this.#figures);
    this.element.dataset.hue = hueOf(member.id);
    this.element.dataset.member = member.id;
  }

  /**
   * @param {Member} member
   * @param {RowState} state
   */
  update(member, { hand, isOpen, figures }) {
    const isOn = (/** @type {string} */ name) => member.published.some(({ source, muted }) => source === name && !muted);
    this.#role.hidden = member.role !== 'owner';
    this.#note.hidden = member.presence !== 'reconnecting';
    this.#hand.hidden = hand === 0;
    if (this.#hand.children[1]) setText(this.#hand.children[1], String(hand));
    const held = isHeld(member);
    this.#microphone.set(held ? 'mic-held' : isOn('microphone') ? 'mic' : 'mic-off', held ? strings.heldMuted : isOn('microphone') ? strings.microphoneOn : strings.muted);
    this.#camera.set(isOn('camera') ? 'camera' : 'camera-off', isOn('camera') ? strings.cameraOn : strings.cameraOff);
    this.#who.setAttribute('aria-expanded', String(isOpen));
    this.#figures.hidden = !isOpen;
    if (isOpen) showFigures(this.#figures, figures);
  }

  focus() {
    this.#who.focus();
  }
}

function sign() {
  const svg = icon('mic');
  const text = h('span', { className: 'unseen' });
  return {
    element: h('span', { className: 'sign' }, svg, text),
    set(/** @type {string} */ symbol, /** @type {string} */ label) {
      setIcon(svg, symbol);
      setText(text, label);
    },
  };
}

/**
 * Keeps the elements, so that a text that is being read or marked stays.
 *
 * @param {HTMLElement} list
 * @param {Figure[]} figures
 */
function showFigures(list, figures) {
  while (list.childElementCount > figures.length * 2) list.lastElementChild?.remove();
  figures.forEach(([name, value], index) => {
    if (!list.children[index * 2]) list.append(h('dt', {}), h('dd', {}));
    const [term, text] = [list.children[index * 2], list.children[index * 2 + 1]];
    if (term) setText(term, name);
    if (text) setText(text, value);
  });
}
