import { strings } from '../strings.js';
import { confirmIn } from './dialog.js';
import { isHandUp, isHeld } from './member.js';

/**
 * @import { Room } from '../motet.js'
 * @import { Member, Reaction } from '../protocol'
 * @import { Item } from './menu.js'
 * @import { Show } from './shows.js'
 *
 * @typedef {object} Host what an action needs of the page
 * @property {HTMLElement} element
 * @property {(text: string) => void} say
 * @property {(member: Member) => void} showDetails
 * @property {(id: string) => boolean} isPinned
 * @property {(id: string) => void} pin
 */

/** What one does in a room, by whatever button, key or menu. */
export class CallActions {
  #room;
  #host;

  /**
   * @param {Room} room
   * @param {Host} host
   */
  constructor(room, host) {
    this.#room = room;
    this.#host = host;
  }

  get isHeld() {
    return isHeld(this.#you);
  }

  get isHandUp() {
    return isHandUp(this.#you);
  }

  /** @param {'microphone' | 'camera'} source */
  async toggle(source) {
    const on = !this.#room.media.isOn(source);
    await (source === 'microphone' ? this.setMicrophone(on) : this.#open('camera', () => this.#room.media.setCamera(on)));
  }

  /** @param {boolean} on */
  async setMicrophone(on) {
    if (on && this.isHeld) return this.#host.say(strings.youAreHeld);
    await this.#open('microphone', () => this.#room.media.setMicrophone(on));
  }

  async toggleScreen() {
    const { media } = this.#room;
    if (media.isOn('screen')) return media.stopScreen();
    try {
      await media.shareScreen();
    } catch (error) {
      // Whoever closes the browser's picker changed their mind.
      if (/** @type {Error} */ (error).name !== 'NotAllowedError') this.#host.say(strings.noScreen);
    }
  }

  toggleHand() {
    this.#room.raiseHand(!this.isHandUp);
  }

  /** @param {Reaction} reaction */
  react(reaction) {
    this.#room.react(reaction);
  }

  /** @returns {Item[]} for whoever may end the room for everyone */
  leaveItems() {
    return [
      { label: strings.leaveRoom, icon: 'leave', act: () => this.#room.leave() },
      { label: strings.endRoom, icon: 'close', isDangerous: true, act: () => this.#room.end() },
    ];
  }

  /**
   * @param {Show} show
   * @returns {Item[]}
   */
  tileItems({ id, member }) {
    const isPinned = this.#host.isPinned(id);
    return [{ label: isPinned ? strings.unpinTile : strings.pinTile, icon: 'pin', act: () => this.#host.pin(id) }, ...this.memberItems(member)];
  }

  /**
   * @param {Member} member
   * @returns {Item[]}
   */
  memberItems(member) {
    /** @type {Item[]} */
    const items = [{ label: strings.showDetails, icon: 'info', act: () => this.#host.showDetails(member) }];
    const extras = this.#room;
    const isUp = isHandUp(member);
    if (member.id === this.#room.you) {
      if (isUp) items.push({ label: strings.lowerYourHand, icon: 'hand', act: () => extras.raiseHand(false) });
      return items;
    }
    if (extras.role !== 'owner') return items;
    const held = isHeld(member);
    items.push({ label: held ? strings.letSpeak : strings.holdMuted, icon: held ? 'mic' : 'mic-held', act: () => extras.silence(member.id, 'microphone', !held) });
    if (isUp) items.push({ label: strings.lowerHandOf, icon: 'hand', act: () => extras.lowerHand(member.id) });
    items.push({ label: strings.remove, icon: 'remove', isDangerous: true, act: () => this.#remove(member) });
    return items;
  }

  get #you() {
    return this.#room.members.get(this.#room.you);
  }

  /** @param {Member} member */
  #remove({ id, name }) {
    const act = () => this.#room.remove(id);
    confirmIn(this.#host.element, { question: strings.removeQuestion(name), yes: strings.remove, no: strings.cancel, act });
  }

  /**
   * @param {'microphone' | 'camera'} source
   * @param {() => Promise<void>} change
   */
  async #open(source, change) {
    try {
      await change();
    } catch (error) {
      this.#host.say(deviceProblem(source, error));
    }
  }
}

/**
 * A plain sentence for a device that could not be opened.
 *
 * @param {'microphone' | 'camera' | 'both'} source
 * @param {unknown} error
 */
export function deviceProblem(source, error) {
  const { name } = /** @type {Error} */ (error);
  if (name === 'SecurityError') return strings.insecure;
  if (name === 'NotAllowedError') return strings.denied;
  return { microphone: strings.noMicrophone, camera: strings.noCamera, both: strings.noDevices }[source];
}
