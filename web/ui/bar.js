import { strings } from '../strings.js';
import { h, icon, setIcon } from './dom.js';

/**
 * @typedef {object} BarActions
 * @property {() => void} microphone
 * @property {() => void} camera
 * @property {() => void} screen
 * @property {() => void} chat
 * @property {() => void} people
 * @property {() => void} leave
 *
 * @typedef {object} BarState
 * @property {boolean} microphone
 * @property {boolean} camera
 * @property {boolean} screen
 * @property {boolean} chat
 * @property {boolean} people
 */

/** The row of buttons below the tiles. */
export class Bar {
  #buttons;
  #badge = h('span', { className: 'badge', hidden: true });
  element;

  /** @param {BarActions} actions */
  constructor(actions) {
    this.#buttons = {
      microphone: button('mic', strings.microphone, actions.microphone),
      camera: button('camera', strings.camera, actions.camera),
      screen: button('screen', strings.share, actions.screen),
      chat: button('chat', strings.chat, actions.chat),
      people: button('people', strings.people, actions.people),
    };
    if (!navigator.mediaDevices?.getDisplayMedia) this.#buttons.screen.element.hidden = true;
    this.#buttons.chat.element.append(this.#badge);
    const leave = button('leave', strings.leave, actions.leave);
    leave.element.classList.add('leave');
    leave.element.removeAttribute('aria-pressed');
    const { microphone, camera, screen, chat, people } = this.#buttons;
    const all = [microphone, camera, screen, chat, people, leave].map(({ element }) => element);
    this.element = h('nav', { className: 'bar', 'aria-label': strings.product }, ...all);
  }

  /** @param {BarState} state */
  update(state) {
    for (const [name, { element }] of Object.entries(this.#buttons)) {
      element.setAttribute('aria-pressed', String(Reflect.get(state, name)));
    }
    setIcon(this.#buttons.microphone.icon, state.microphone ? 'mic' : 'mic-off');
    setIcon(this.#buttons.camera.icon, state.camera ? 'camera' : 'camera-off');
    this.#buttons.microphone.element.classList.toggle('off', !state.microphone);
    this.#buttons.camera.element.classList.toggle('off', !state.camera);
  }

  /** @param {number} count of unread lines of chat */
  setUnread(count) {
    this.#badge.hidden = count === 0;
    this.#badge.textContent = count > 99 ? '99+' : String(count);
    this.#buttons.chat.element.setAttribute('aria-label', count ? `${strings.chat}, ${strings.unread(count)}` : strings.chat);
  }
}

/**
 * @param {string} symbol
 * @param {string} label
 * @param {() => void} onclick
 */
function button(symbol, label, onclick) {
  const svg = icon(symbol);
  const properties = { type: 'button', className: 'tool', title: label, 'aria-label': label, 'aria-pressed': 'false', onclick };
  const element = h('button', properties, svg, h('span', { className: 'label', 'aria-hidden': 'true' }, label));
  element.dataset.tool = symbol;
  return { element, icon: svg };
}
