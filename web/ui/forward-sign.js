import { strings } from '../strings.js';
import { h } from './dom.js';

/**
 * @import { Room } from '../motet.js'
 */

/** Says to everyone whose media is sent to other programs, for as long as any is. */
export class ForwardSign {
  #room;
  #names = '';
  element = h('p', { className: 'recording-sign', role: 'status', hidden: true });

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    this.update();
  }

  update() {
    const members = [...this.#room.members.values()].filter(({ forwarded }) => forwarded?.length);
    const names = members.map(({ id, name }) => (id === this.#room.you ? strings.nameOfYou(name) : name)).join(', ');
    if (names === this.#names) return;
    this.#names = names;
    this.element.hidden = names === '';
    this.element.title = names && strings.forwardedHint(names);
    // Written only now, so that a screen reader says it when it changes.
    this.element.textContent = names && strings.forwarded(names);
  }
}
