import { at } from '../base.js';
import { strings } from '../strings.js';
import { h } from './dom.js';
import { focusSoon, pageOf } from './page.js';

/** Shown while somebody waits to be let in. */
export class WaitingPage {
  element;

  /**
   * @param {object} options
   * @param {string} options.room its name
   * @param {() => void} options.leave gives up waiting
   */
  constructor({ room, leave }) {
    const button = h('button', { type: 'button', className: 'secondary', onclick: leave }, strings.leave);
    button.dataset.tool = 'leave';
    const said = h('p', { className: 'quiet', role: 'status' });
    // A live region is read when its words come, not when it comes with them.
    window.setTimeout(() => (said.textContent = strings.waitingText(room)), 100);
    const card = h('div', { className: 'card notice-card' }, dots(), h('h1', {}, strings.waitingTitle), said, button);
    this.element = pageOf({ kind: 'one', content: [card] });
    focusSoon(button);
  }
}

/** Shown while the node cannot be reached; the page goes on trying. */
export class UnreachablePage {
  element;

  /**
   * @param {object} options
   * @param {() => void} options.retry tries at once
   */
  constructor({ retry }) {
    const again = h('button', { type: 'button', className: 'primary', onclick: retry }, strings.tryAgain);
    const home = h('a', { href: at(''), className: 'plain' }, strings.goHome);
    const text = h('p', { className: 'quiet' }, strings.unreachableText);
    const card = h('div', { className: 'card notice-card', role: 'alert' }, dots(), h('h1', {}, strings.unreachable), text, again, home);
    this.element = pageOf({ kind: 'one', content: [card] });
    focusSoon(again);
  }
}

function dots() {
  return h('div', { className: 'going-on', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
}
