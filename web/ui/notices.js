import { strings } from '../strings.js';
import { h, setText } from './dom.js';

/**
 * @import { Knock, MemberId } from '../protocol'
 *
 * @typedef {{admit: (member: MemberId) => unknown, deny: (member: MemberId) => unknown}} KnockActions
 */

const NOTICE_MS = 6_000;
const NOTICES_MAX = 4;
/** More people who wait are in the list alone. */
const KNOCKS_MAX = 2;

/** What is said in passing, to eyes and to screen readers; and who knocks, with an answer at hand. */
export class Notices {
  #passing = h('div', { className: 'passing', role: 'status', 'aria-live': 'polite' });
  #knocks = h('div', { className: 'knocks', role: 'status', 'aria-live': 'assertive' });
  #aside = h('p', { className: 'unseen', role: 'log', 'aria-live': 'polite' });
  /** @type {Map<MemberId, HTMLElement>} */
  #waiting = new Map();
  element = h('div', { className: 'notices' }, this.#knocks, this.#passing, this.#aside);

  /** @param {string} text said once, and gone after a while */
  say(text) {
    const element = h('p', { className: 'notice' }, text);
    this.#passing.append(element);
    if (this.#passing.childElementCount > NOTICES_MAX) this.#passing.firstElementChild?.remove();
    window.setTimeout(() => element.remove(), NOTICE_MS);
  }

  /** @param {string} text for screen readers, of what is seen elsewhere */
  whisper(text) {
    setText(this.#aside, text);
  }

  /**
   * @param {Knock[]} waiting
   * @param {KnockActions} actions
   */
  setWaiting(waiting, actions) {
    const shown = waiting.slice(0, KNOCKS_MAX);
    for (const [id, element] of this.#waiting) {
      if (shown.some(({ member }) => member === id)) continue;
      element.remove();
      this.#waiting.delete(id);
    }
    for (const knock of shown) {
      if (this.#waiting.has(knock.member)) continue;
      const element = h('div', { className: 'notice knock' }, h('p', {}, strings.wantsIn(knock.name)), answers(knock, actions));
      this.#waiting.set(knock.member, element);
      this.#knocks.append(element);
    }
  }
}

/**
 * @param {Knock} knock
 * @param {KnockActions} actions
 */
export function answers({ member, name }, actions) {
  const yes = h('button', { type: 'button', className: 'small primary', 'aria-label': strings.admitName(name) }, strings.admit);
  const no = h('button', { type: 'button', className: 'small secondary', 'aria-label': strings.denyName(name) }, strings.deny);
  yes.onclick = () => actions.admit(member);
  no.onclick = () => actions.deny(member);
  return h('div', { className: 'answers' }, no, yes);
}
