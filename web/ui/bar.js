import { strings } from '../strings.js';
import { h, icon, setIcon } from './dom.js';

/**
 * @typedef {'microphone' | 'camera' | 'screen' | 'hand' | 'react' | 'chat' | 'people' | 'view' | 'more' | 'leave'} ToolName
 *
 * @typedef {object} BarState
 * @property {boolean} microphone
 * @property {boolean} isHeld whether the owner holds the microphone muted
 * @property {boolean} camera
 * @property {boolean} screen
 * @property {boolean} hand
 * @property {boolean} chat
 * @property {boolean} people
 * @property {boolean} speakerView
 *
 * @typedef {object} Tool
 * @property {HTMLButtonElement} element
 * @property {SVGElement} icon
 * @property {HTMLElement} outer the button, or what holds it and its menu
 * @property {string} symbol
 * @property {string} label
 *
 * @typedef {object} BarOptions
 * @property {(tool: ToolName, anchor: HTMLElement) => void} press
 * @property {(source: 'microphone' | 'camera', anchor: HTMLElement) => void} choose opens the choice of devices
 * @property {ToolName[]} absent what this browser or room cannot do
 */

/** The tools: their icons, and the keys that do the same. */
const TOOLS = /** @type {const} */ ([
  ['microphone', 'mic', 'm'],
  ['camera', 'camera', 'v'],
  ['screen', 'screen', 's'],
  ['hand', 'hand', 'h'],
  ['react', 'react', ''],
  ['chat', 'chat', 'c'],
  ['people', 'people', 'p'],
  ['view', 'grid', 'g'],
  ['more', 'more', ''],
  ['leave', 'leave', ''],
]);
/** Where the bar is too narrow, these go into the menu, the first one first. */
const YIELDING = /** @type {readonly ToolName[]} */ (['view', 'screen', 'people', 'react', 'hand', 'chat']);
const OPENS_MENU = /** @type {readonly ToolName[]} */ (['react', 'view', 'more']);
const TOGGLES = /** @type {const} */ (['microphone', 'camera', 'screen', 'hand', 'chat', 'people']);
/** Between two tools, in CSS pixels; `controls.css` says the same. */
const GAP = 8;

/** The row of buttons below the tiles. */
export class Bar {
  #options;
  #tools;
  #badge = h('span', { className: 'badge', hidden: true });
  #knocks = h('span', { className: 'badge', hidden: true });
  #row;
  element;

  /** @param {BarOptions} options */
  constructor(options) {
    this.#options = options;
    this.#tools = /** @type {Record<ToolName, Tool>} */ (Object.fromEntries(TOOLS.map(([name, symbol, key]) => [name, this.#tool(name, symbol, key)])));
    for (const name of options.absent) this.#tools[name].outer.hidden = true;
    this.#tools.chat.element.append(this.#badge);
    this.#tools.people.element.append(this.#knocks);
    this.#row = h('div', { className: 'bar-row' }, ...TOOLS.map(([name]) => this.#tools[name].outer));
    this.element = h('nav', { className: 'bar', 'aria-label': strings.product }, this.#row);
    new ResizeObserver(() => this.#fit()).observe(this.element);
  }

  /** @param {BarState} state */
  update(state) {
    for (const name of TOGGLES) this.#tools[name].element.setAttribute('aria-pressed', String(state[name]));
    const { microphone, camera, hand, view } = this.#tools;
    setIcon(microphone.icon, state.isHeld ? 'mic-held' : state.microphone ? 'mic' : 'mic-off');
    setIcon(camera.icon, state.camera ? 'camera' : 'camera-off');
    setIcon(view.icon, state.speakerView ? 'speaker' : 'grid');
    microphone.element.classList.toggle('off', !state.microphone);
    camera.element.classList.toggle('off', !state.camera);
    hand.label = state.hand ? strings.lowerYourHand : strings.hand;
    name(hand, 'h');
  }

  /** @returns {{name: ToolName, label: string, symbol: string}[]} the tools that have no place in the row */
  get overflowed() {
    return YIELDING.filter((tool) => this.#tools[tool].outer.classList.contains('overflowed') && !this.#tools[tool].outer.hidden)
      .reverse()
      .map((tool) => ({ name: tool, label: this.#tools[tool].label, symbol: this.#tools[tool].symbol }));
  }

  /** @param {number} count of unread lines of chat */
  setUnread(count) {
    mark(this.#badge, count);
    this.#tools.chat.element.setAttribute('aria-label', count ? `${strings.chat}, ${strings.unread(count)}` : strings.chat);
    this.#markMore();
  }

  /** @param {number} count of people who wait to be let in */
  setWaiting(count) {
    mark(this.#knocks, count);
    this.#tools.people.element.setAttribute('aria-label', count ? `${strings.people}, ${strings.knocksTitle(count)}` : strings.people);
    this.#markMore();
  }

  /** @param {boolean} hasMenu whether there is more than one way to leave */
  setLeaveMenu(hasMenu) {
    const { element } = this.#tools.leave;
    if (element.hasAttribute('aria-haspopup') === hasMenu) return;
    if (hasMenu) setAttributes(element, { 'aria-haspopup': 'menu', 'aria-expanded': 'false' });
    else for (const attribute of ['aria-haspopup', 'aria-expanded']) element.removeAttribute(attribute);
  }

  /**
   * @param {ToolName} tool
   * @param {string} symbol
   * @param {string} key
   * @returns {Tool}
   */
  #tool(tool, symbol, key) {
    const svg = icon(symbol);
    const element = h('button', { type: 'button', className: 'tool' }, svg);
    const made = { element, icon: svg, outer: /** @type {HTMLElement} */ (element), symbol, label: labelOf(tool) };
    element.dataset.tool = symbol === 'grid' ? 'view' : symbol;
    element.onclick = () => this.#options.press(tool, element);
    if (OPENS_MENU.includes(tool)) setAttributes(element, { 'aria-haspopup': 'menu', 'aria-expanded': 'false' });
    if (tool === 'leave') element.classList.add('leave');
    name(made, key);
    if (tool === 'microphone' || tool === 'camera') made.outer = this.#pair(tool, element);
    return made;
  }

  /**
   * @param {'microphone' | 'camera'} source
   * @param {HTMLElement} button
   */
  #pair(source, button) {
    const label = strings.devicesOf(strings[source]);
    const choose = h('button', { type: 'button', className: 'choose', title: label, 'aria-label': label }, icon('up'));
    setAttributes(choose, { 'aria-haspopup': 'menu', 'aria-expanded': 'false' });
    choose.onclick = () => this.#options.choose(source, choose);
    return h('div', { className: 'pair' }, button, choose);
  }

  /** Moves into the menu what does not fit. */
  #fit() {
    const style = getComputedStyle(this.element);
    const room = this.element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    for (const tool of YIELDING) this.#tools[tool].outer.classList.remove('overflowed');
    for (const tool of YIELDING) {
      if (this.#width() <= room) break;
      this.#tools[tool].outer.classList.add('overflowed');
    }
    this.#markMore();
  }

  #width() {
    const shown = [...this.#row.children].filter((child) => child instanceof HTMLElement && child.offsetParent !== null);
    return shown.reduce((sum, child) => sum + child.getBoundingClientRect().width + GAP, -GAP);
  }

  /** What is marked in the menu is marked at its button. */
  #markMore() {
    const isMarked = this.overflowed.some(({ name: tool }) => (tool === 'chat' && !this.#badge.hidden) || (tool === 'people' && !this.#knocks.hidden));
    this.#tools.more.element.classList.toggle('marked', isMarked);
  }
}

/** @param {ToolName} tool */
function labelOf(tool) {
  return {
    microphone: strings.microphone,
    camera: strings.camera,
    screen: strings.share,
    hand: strings.hand,
    react: strings.react,
    chat: strings.chat,
    people: strings.people,
    view: strings.view,
    more: strings.more,
    leave: strings.leave,
  }[tool];
}

/**
 * @param {Pick<Tool, 'element' | 'label'>} tool
 * @param {string} key
 */
function name({ element, label }, key) {
  const title = key ? `${label} (${key.toUpperCase()})` : label;
  if (element.title === title) return;
  element.title = title;
  element.setAttribute('aria-label', label);
  if (key) element.setAttribute('aria-keyshortcuts', key);
}

/**
 * @param {HTMLElement} badge
 * @param {number} count
 */
function mark(badge, count) {
  badge.hidden = count === 0;
  badge.textContent = count > 99 ? '99+' : String(count);
}

/**
 * @param {Element} element
 * @param {Record<string, string>} attributes
 */
function setAttributes(element, attributes) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
}
