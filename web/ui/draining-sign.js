import { strings } from '../strings.js';
import { h } from './dom.js';

/**
 * @import { Room } from '../motet.js'
 */

/** Says to everyone that the node is about to stop, until the call goes on with one that is not. */
export class DrainingSign {
  #room;
  #wasDraining = false;
  element = h('p', { className: 'recording-sign', role: 'status', hidden: true });

  /**
   * @param {Room} room
   * @param {(text: string) => void} say what is said once and gone after a while
   */
  constructor(room, say) {
    this.#room = room;
    room.on('draining', (seconds) => say(strings.draining(seconds)));
    this.update();
  }

  update() {
    const { isDraining } = this.#room;
    if (isDraining === this.#wasDraining) return;
    this.#wasDraining = isDraining;
    this.element.hidden = !isDraining;
    this.element.title = strings.drainingHint;
    // Written only now, so that a screen reader says it when it begins.
    this.element.textContent = isDraining ? strings.drainingSign : '';
  }
}
