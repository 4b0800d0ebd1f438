import { strings } from '../strings.js';
import { h, icon, setIcon, setText } from './dom.js';
import { hueOf, initialsOf } from './tile.js';

/**
 * @import { Room } from '../motet.js'
 * @import { Incoming } from '../mesh.js'
 * @import { Member, MemberId } from '../protocol'
 * @import { Outbound } from '../stats.js'
 */

/** Who is here, and how well their media arrives. */
export class People {
  #room;
  /** @type {Map<MemberId, Row>} */
  #rows = new Map();
  #mode = h('p', { className: 'mode' });
  #list = h('ul', { className: 'rows' });
  #devices = h('div', { className: 'devices' });
  element = h('div', { className: 'people' }, this.#mode, this.#list, this.#devices);

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
  }

  opened() {
    this.update();
    this.#listDevices();
  }

  update() {
    if (!this.element.isConnected || this.element.offsetParent === null) return;
    setText(this.#mode, strings.mode(this.#room.mode));
    const members = [...this.#room.members.values()];
    for (const [id, row] of this.#rows) {
      if (this.#room.members.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    for (const member of members) this.#row(member).update(member, this.#linesOf(member));
  }

  /** @param {Member} member */
  #row(member) {
    let row = this.#rows.get(member.id);
    if (!row) {
      row = new Row(member, member.id === this.#room.you);
      this.#rows.set(member.id, row);
      this.#list.append(row.element);
    }
    return row;
  }

  /**
   * @param {Member} member
   * @returns {string[]}
   */
  #linesOf(member) {
    if (member.id === this.#room.you) return sentLines(this.#room);
    const camera = this.#room.incoming(member, 'camera');
    const screen = this.#room.incoming(member, 'screen');
    return [...(camera ? feedLines(camera) : [strings.noStatistics]), ...(screen ? feedLines(screen).slice(1) : [])];
  }

  async #listDevices() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const kinds = /** @type {const} */ ([
      ['microphone', 'audioinput'],
      ['camera', 'videoinput'],
    ]);
    const selects = kinds.flatMap(([source, kind]) => {
      const known = devices.filter((device) => device.kind === kind && device.deviceId);
      return known.length > 0 ? [this.#select(source, known)] : [];
    });
    this.#devices.replaceChildren(...(selects.length ? [h('h3', {}, strings.devices)] : []), ...selects);
  }

  /**
   * @param {'microphone' | 'camera'} source
   * @param {MediaDeviceInfo[]} devices
   */
  #select(source, devices) {
    const current = this.#room.media.track(source)?.getSettings().deviceId;
    const options = devices.map(({ deviceId, label }, index) =>
      h('option', { value: deviceId, selected: deviceId === current }, label || strings.device(index + 1)),
    );
    const select = h('select', {}, ...options);
    select.onchange = () => this.#room.media.useDevice(source, select.value).catch(() => this.#listDevices());
    return h('label', { className: 'field' }, h('span', {}, strings[source]), select);
  }
}

/** One person in the list. */
class Row {
  #name = h('span', { className: 'name' });
  #microphone = icon('mic');
  #camera = icon('camera');
  #lines = h('p', { className: 'figures' });
  element;

  /**
   * @param {Member} member
   * @param {boolean} isOwn
   */
  constructor(member, isOwn) {
    setText(this.#name, isOwn ? strings.nameOfYou(member.name) : member.name);
    const avatar = h('span', { className: 'avatar', 'aria-hidden': 'true' }, initialsOf(member.name));
    const head = h('div', { className: 'head' }, avatar, this.#name, this.#microphone, this.#camera);
    this.element = h('li', { className: 'row' }, head, this.#lines);
    this.element.dataset.hue = hueOf(member.id);
    this.element.dataset.member = member.id;
  }

  /**
   * @param {Member} member
   * @param {string[]} lines
   */
  update(member, lines) {
    const isOn = (/** @type {string} */ name) => member.published.some(({ source, muted }) => source === name && !muted);
    setIcon(this.#microphone, isOn('microphone') ? 'mic' : 'mic-off');
    setIcon(this.#camera, isOn('camera') ? 'camera' : 'camera-off');
    setText(this.#lines, lines.join('\n'));
  }
}

/**
 * @param {Incoming} incoming
 * @returns {string[]}
 */
function feedLines({ connection, audioStats, videoStats, path }) {
  const ends = [connection.local, connection.remote].map(strings.candidate).filter(Boolean);
  const way = [strings.mode(path === 'mesh' ? 'mesh' : 'sfu'), [...new Set(ends)].join(' / '), connection.protocol];
  const lines = [[...way.filter(Boolean), strings.rtt(connection.rttMs)].join(' · ')];
  if (videoStats && videoStats.width > 0) {
    const { width, height, fps, codec, bitrate, lossPercent } = videoStats;
    lines.push([strings.picture(width, height, fps), codec, strings.bitrate(bitrate), strings.loss(lossPercent)].join(' · '));
  }
  if (audioStats) {
    const { codec, bitrate, lossPercent } = audioStats;
    lines.push([strings.sound, codec, strings.bitrate(bitrate), strings.loss(lossPercent)].join(' · '));
  }
  return lines;
}

/** @param {Room} room */
function sentLines(room) {
  const meters = [...(room.mesh?.pairs() ?? []).map(([, pair]) => pair.meter), ...(room.node ? [room.node.meter] : [])];
  const layers = meters.flatMap(({ latest }) => [...latest.outbound.values()].flat());
  const total = layers.reduce((sum, { bitrate }) => sum + bitrate, 0);
  const pictures = layers.filter((layer) => layer.kind === 'video' && layer.height > 0 && layer.bitrate > 0);
  return [`${strings.sent} · ${strings.bitrate(total)}`, ...pictures.map(layerLine)];
}

/** @param {Outbound} layer */
function layerLine({ rid, width, height, fps, bitrate }) {
  return [...(rid ? [rid] : []), strings.picture(width, height, fps), strings.bitrate(bitrate)].join(' · ');
}
