import { strings } from '../strings.js';

/**
 * @import { LocalMedia } from '../media.js'
 * @import { Item, Menu } from './menu.js'
 *
 * @typedef {'microphone' | 'camera'} Capture
 */

const KINDS = /** @type {const} */ ({ microphone: 'audioinput', camera: 'videoinput' });
/** Unplugging one device changes the list several times. */
const SETTLE_MS = 300;

/** Which microphone and camera are used: chosen by hand, and replaced when they are unplugged. */
export class Devices {
  #media;
  #menu;
  #say;
  #problem;
  /** @type {Map<Capture, MediaStreamTrack>} */
  #watched = new Map();
  /** @type {{source: Capture, anchor: HTMLElement} | null} */
  #open = null;
  #stop = new AbortController();

  /**
   * @param {LocalMedia} media
   * @param {Menu} menu
   * @param {{say: (text: string) => void, problem: (source: Capture, error: unknown) => void}} listeners
   */
  constructor(media, menu, { say, problem }) {
    this.#media = media;
    this.#menu = menu;
    this.#say = say;
    this.#problem = problem;
    media.on('change', () => this.#watch());
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#refresh(), { signal: this.#stop.signal });
    this.#watch();
  }

  close() {
    this.#stop.abort();
  }

  /**
   * @param {Capture} source
   * @param {HTMLElement} anchor
   */
  async choose(source, anchor) {
    const items = await this.#items(source);
    this.#open = { source, anchor };
    this.#menu.toggle(anchor, strings.devicesOf(strings[source]), items);
  }

  async #refresh() {
    if (!this.#open || !this.#menu.isOpen) return;
    this.#menu.refresh(this.#open.anchor, await this.#items(this.#open.source));
  }

  /**
   * @param {Capture} source
   * @returns {Promise<Item[]>}
   */
  async #items(source) {
    const devices = await this.#list(source);
    const current = this.#media.track(source)?.getSettings().deviceId;
    if (devices.length === 0) return [{ label: strings.noDevicesListed, act: () => {} }];
    return devices.map(({ deviceId, label }, index) => ({
      label: label || strings.device(index + 1),
      checked: deviceId === current,
      act: () => this.#media.useDevice(source, deviceId).catch((error) => this.#problem(source, error)),
    }));
  }

  /** @param {Capture} source */
  async #list(source) {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    return devices.filter(({ kind, deviceId }) => kind === KINDS[source] && deviceId);
  }

  #watch() {
    for (const source of /** @type {const} */ (['microphone', 'camera'])) {
      const track = this.#media.track(source);
      if (!track || this.#watched.get(source) === track) continue;
      this.#watched.set(source, track);
      // Not heard when we stop it ourselves, only when the device is gone or taken away.
      track.addEventListener('ended', () => this.#replace(source, track), { signal: this.#stop.signal });
    }
  }

  /**
   * @param {Capture} source
   * @param {MediaStreamTrack} track
   */
  async #replace(source, track) {
    await new Promise((resolve) => window.setTimeout(resolve, SETTLE_MS));
    if (this.#stop.signal.aborted) return;
    await this.#media.useDevice(source, '');
    // Nobody is to be heard who had muted themselves.
    if (source === 'microphone' && !track.enabled) return this.#say(strings.unpluggedWhileOff);
    if (this.#media.track(source)) return;
    try {
      await (source === 'microphone' ? this.#media.setMicrophone(true) : this.#media.setCamera(true));
      this.#say(strings.unplugged[source](this.#media.track(source)?.label || strings.anotherDevice));
    } catch {
      this.#say(strings.unplugged[source](''));
    }
  }
}
