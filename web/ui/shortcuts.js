import { settings } from '../settings.js';
import { strings } from '../strings.js';
import { openDialog } from './dialog.js';
import { h } from './dom.js';
import { REACTIONS } from './reactions.js';

/**
 * @import { Reaction } from '../protocol'
 *
 * @typedef {object} ShortcutActions
 * @property {() => unknown} microphone
 * @property {() => unknown} camera
 * @property {() => unknown} screen
 * @property {() => unknown} hand
 * @property {() => unknown} chat
 * @property {() => unknown} people
 * @property {() => unknown} view
 * @property {() => unknown} fullScreen
 * @property {() => unknown} escape
 * @property {(step: 1 | -1) => unknown} turn
 * @property {(reaction: Reaction) => unknown} react
 * @property {() => unknown} help
 * @property {() => boolean} isMuted
 * @property {(on: boolean) => unknown} talk opens the microphone while a key is held
 */

const TYPING = 'input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]';
const PRESSABLE = 'button, a[href], summary, input, [role=menuitem], [role=menuitemradio], [role=switch]';

/** Keys that do what the bar does, except while somebody types; and the space bar to talk. */
export class Shortcuts {
  #actions;
  /** @type {Element | null} a button that has the focus because it was clicked */
  #clicked = null;
  #isTalking = false;
  #stop = new AbortController();

  /** @param {ShortcutActions} actions */
  constructor(actions) {
    this.#actions = actions;
    const { signal } = this.#stop;
    document.addEventListener('keydown', (event) => this.#down(event), { signal });
    document.addEventListener('keyup', (event) => this.#up(event), { signal });
    document.addEventListener('click', ({ detail }) => (this.#clicked = detail > 0 ? document.activeElement : null), { signal });
    window.addEventListener('blur', () => this.#endTalk(), { signal });
  }

  close() {
    this.#endTalk();
    this.#stop.abort();
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const { target } = event;
    if (!(target instanceof Element) || target.closest(TYPING) || document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape') return this.#actions.escape();
    if (!settings.get('shortcuts')) return;
    if (event.key === ' ') return this.#talk(event, target);
    if (event.repeat) return;
    const act = this.#actionOf(event.key);
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** @param {KeyboardEvent} event */
  #up(event) {
    if (event.key !== ' ' || !this.#isTalking) return;
    // Else Firefox presses the button that has the focus.
    event.preventDefault();
    this.#endTalk();
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Element} target
   */
  #talk(event, target) {
    if (this.#isTalking) return event.preventDefault();
    // The space bar presses what was reached by the Tab key; what was clicked is not meant any more.
    const isButton = target.closest(PRESSABLE) && target !== this.#clicked;
    if (isButton || event.repeat || !this.#actions.isMuted()) return;
    event.preventDefault();
    this.#isTalking = true;
    this.#actions.talk(true);
  }

  #endTalk() {
    if (!this.#isTalking) return;
    this.#isTalking = false;
    this.#actions.talk(false);
  }

  /** @param {string} key */
  #actionOf(key) {
    const actions = this.#actions;
    const reaction = REACTIONS[Number.parseInt(key, 10) - 1];
    if (reaction && key.length === 1) return () => actions.react(reaction);
    /** @type {Record<string, () => unknown>} */
    const keys = {
      m: actions.microphone,
      v: actions.camera,
      s: actions.screen,
      h: actions.hand,
      c: actions.chat,
      p: actions.people,
      g: actions.view,
      f: actions.fullScreen,
      '?': actions.help,
      PageDown: () => actions.turn(1),
      PageUp: () => actions.turn(-1),
    };
    return Object.hasOwn(keys, key) ? keys[key] : keys[key.toLowerCase()];
  }
}

/** @param {HTMLElement} host */
export function openHelp(host) {
  const toggle = h('input', { type: 'checkbox', checked: settings.get('shortcuts') });
  toggle.onchange = () => settings.set({ shortcuts: toggle.checked });
  /** @type {[string, string][]} */
  const keys = [
    ['M', strings.microphone],
    [strings.space, strings.pushToTalk],
    ['V', strings.camera],
    ['S', strings.share],
    ['H', strings.hand],
    [`1 – ${REACTIONS.length}`, strings.reactionsKey],
    ['C', strings.chat],
    ['P', strings.people],
    ['G', strings.speakerKey],
    ['Page ↑ ↓', strings.pagesKey],
    ['F', strings.fullScreen],
    ['Esc', strings.closeKey],
    ['?', strings.helpKey],
  ];
  const rows = keys.flatMap(([key, text]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, text)]);
  openDialog(
    host,
    strings.shortcutsTitle,
    h('dl', { className: 'keys' }, ...rows),
    h('label', { className: 'choice' }, toggle, h('span', {}, strings.shortcutsOn)),
  );
}
