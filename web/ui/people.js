import { strings } from '../strings.js';
import { detailsOf } from './details.js';
import { h, icon, setText } from './dom.js';
import { answers } from './notices.js';
import { Row } from './people-row.js';
import { handsOf } from './member.js';

/**
 * @import { Room } from '../motet.js'
 * @import { Knock, Member, MemberId } from '../protocol'
 */

/** Shorter lists need no search. */
const SEARCH_FROM = 10;

/** Who is here and who waits, and what an owner decides about the room. */
export class People {
  #room;
  #menu;
  /** @type {Map<MemberId, Row>} */
  #rows = new Map();
  /** @type {Set<MemberId>} whose figures are shown */
  #open = new Set();
  #count = h('h3', {});
  #search = h('input', { type: 'search', placeholder: strings.search, 'aria-label': strings.search, autocomplete: 'off' });
  #searchField = h('div', { className: 'search', hidden: true }, icon('search'), this.#search);
  #nobody = h('p', { className: 'quiet', hidden: true, role: 'status' }, strings.nobodyFound);
  #list = h('ul', { className: 'rows' });
  #waitingTitle = h('h3', {});
  #waitingList = h('ul', { className: 'rows' });
  #waiting = h('section', { className: 'waiting-list', hidden: true }, this.#waitingTitle, this.#waitingList);
  #waitingSaid = '';
  #lock;
  #lobby;
  #record;
  #rules;
  element;

  /**
   * @param {Room} room
   * @param {(anchor: HTMLElement, member: Member) => void} menu opens what can be done about somebody
   */
  constructor(room, menu) {
    this.#room = room;
    this.#menu = menu;
    this.#lock = toggle(strings.lockRoom, (on) => room.lock(on));
    this.#lobby = toggle(strings.useLobby, (on) => room.setLobby(on));
    this.#record = toggle(strings.recordRoom, (on) => room.record(on));
    this.#rules = h('section', { className: 'rules', hidden: true }, h('h3', {}, strings.theRoom), this.#lock, this.#lobby, this.#record);
    this.#search.oninput = () => this.update();
    this.element = h('div', { className: 'people' }, this.#waiting, this.#rules, this.#count, this.#searchField, this.#nobody, this.#list);
  }

  opened() {
    this.update();
  }

  /** @param {MemberId} member whose figures are to be seen */
  show(member) {
    this.#open.add(member);
    this.#search.value = '';
    this.update();
    const row = this.#rows.get(member);
    row?.element.scrollIntoView({ block: 'nearest' });
    row?.focus();
  }

  update() {
    if (!this.element.isConnected || this.element.closest('[hidden]')) return;
    const members = this.#sorted();
    setText(this.#count, strings.inTheRoom(members.length));
    this.#searchField.hidden = members.length <= SEARCH_FROM;
    this.#updateOwner();
    for (const [id, row] of this.#rows) {
      if (this.#room.members.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
      this.#open.delete(id);
    }
    const hands = handsOf(members);
    for (const member of members) this.#updateRow(member, hands.indexOf(member.id) + 1);
    this.#order(members);
    this.#filter();
  }

  /** Hands first, in their order; then owners, then the others in the order of their coming. */
  #sorted() {
    const members = [...this.#room.members.values()];
    const hands = handsOf(members);
    const rank = (/** @type {Member} */ { id, role }) => (hands.includes(id) ? hands.indexOf(id) : hands.length + (role === 'owner' ? 0 : 1));
    return members.sort((one, other) => rank(one) - rank(other));
  }

  #updateOwner() {
    const { role, rules, waiting, recording } = this.#room;
    this.#rules.hidden = role !== 'owner';
    this.#lock.setAttribute('aria-checked', String(rules.locked));
    this.#lobby.setAttribute('aria-checked', String(rules.lobby));
    this.#record.setAttribute('aria-checked', String(recording !== null));
    this.#waiting.hidden = waiting.length === 0;
    setText(this.#waitingTitle, strings.knocksTitle(waiting.length));
    const said = JSON.stringify(waiting);
    if (said === this.#waitingSaid) return;
    this.#waitingSaid = said;
    this.#waitingList.replaceChildren(...waiting.map((knock) => this.#knock(knock)));
  }

  /** @param {Knock} knock */
  #knock(knock) {
    return h('li', { className: 'row knocking' }, h('span', { className: 'name' }, knock.name), answers(knock, this.#room));
  }

  /**
   * @param {Member} member
   * @param {number} hand
   */
  #updateRow(member, hand) {
    let row = this.#rows.get(member.id);
    if (!row) {
      row = new Row(member, {
        isOwn: member.id === this.#room.you,
        toggle: () => this.#toggle(member.id),
        menu: (anchor) => this.#menu(anchor, this.#room.members.get(member.id) ?? member),
      });
      this.#rows.set(member.id, row);
      this.#list.append(row.element);
    }
    const isOpen = this.#open.has(member.id);
    row.update(member, { hand, isOpen, figures: isOpen ? detailsOf(this.#room, member) : [] });
  }

  /** @param {MemberId} id */
  #toggle(id) {
    if (!this.#open.delete(id)) this.#open.add(id);
    this.update();
  }

  /** @param {Member[]} members moves only what stands elsewhere, so that nothing loses the focus for nothing */
  #order(members) {
    members.forEach(({ id }, index) => {
      const element = this.#rows.get(id)?.element;
      const there = this.#list.children[index] ?? null;
      if (element && element !== there) this.#list.insertBefore(element, there);
    });
  }

  #filter() {
    const wanted = this.#searchField.hidden ? '' : this.#search.value.trim().toLocaleLowerCase();
    let found = 0;
    for (const [id, row] of this.#rows) {
      const name = this.#room.members.get(id)?.name.toLocaleLowerCase() ?? '';
      row.element.hidden = !name.includes(wanted);
      if (!row.element.hidden) found += 1;
    }
    this.#nobody.hidden = found > 0;
  }
}

/**
 * @param {string} label
 * @param {(on: boolean) => unknown} set
 */
function toggle(label, set) {
  const element = h('button', { type: 'button', className: 'switch', role: 'switch', 'aria-checked': 'false' }, h('span', {}, label), h('i', { 'aria-hidden': 'true' }));
  element.onclick = () => set(element.getAttribute('aria-checked') !== 'true');
  return element;
}
