import { strings } from '../strings.js';
import { h } from './dom.js';

/**
 * @import { Room } from '../motet.js'
 */

/** Says to everyone that the room is recorded, for as long as it is. */
export class RecordingSign {
  #room;
  #wasRecorded = false;
  #wasThinned = false;
  #say;
  element = h('p', { className: 'recording-sign', role: 'status' });

  /**
   * @param {Room} room
   * @param {(text: string) => void} say what is said once and gone after a while
   */
  constructor(room, say) {
    this.#room = room;
    this.#say = say;
    this.element.title = strings.recordedHint;
    room.on('recording', (ended) => {
      if (ended) this.#say(strings.recordingEnds(ended));
      const isThinned = this.#room.recording?.thinned ?? false;
      if (isThinned !== this.#wasThinned && !ended) this.#say(strings.recordingThinned(isThinned));
      this.#wasThinned = isThinned;
    });
    this.update();
  }

  update() {
    const isRecorded = this.#room.recording !== null;
    this.element.hidden = !isRecorded;
    if (isRecorded === this.#wasRecorded) return;
    this.#wasRecorded = isRecorded;
    // Written only now, so that a screen reader says it when it begins.
    this.element.textContent = isRecorded ? strings.recorded : '';
  }
}
