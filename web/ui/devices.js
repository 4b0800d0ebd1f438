import { settings } from '../settings.js';
import { strings } from '../strings.js';
import { h, icon } from './dom.js';
import { picker, toggle } from './form.js';
import { Meter } from './meter.js';
import { canChooseSink } from './sound.js';
import { playTestSound } from './test-sound.js';

/** @import { LocalMedia } from '../media.js' */

/** Which microphone, camera and loudspeaker, and what is done to the voice. */
export class DeviceControls {
  #media;
  #meter = new Meter();
  #pickers = h('div', { className: 'pickers' });
  #stopListening;
  element;

  /** @param {LocalMedia} media */
  constructor(media) {
    this.#media = media;
    const options = h('details', {}, h('summary', {}, strings.soundOptions), processing(media));
    this.element = h('div', { className: 'device-controls' }, this.#pickers, options);
    this.#stopListening = media.on('change', () => this.#list());
    navigator.mediaDevices?.addEventListener?.('devicechange', this.#list);
    this.#list();
  }

  /** To be called when it is taken off the page. */
  close() {
    this.#stopListening();
    this.#meter.close();
    navigator.mediaDevices?.removeEventListener?.('devicechange', this.#list);
  }

  #list = async () => {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    const focused = this.#pickers.querySelector('select:focus, button:focus')?.getAttribute('data-device');
    this.#pickers.replaceChildren(...this.#microphone(all), ...this.#camera(all), this.#speaker(all));
    this.#meter.show(this.#media.isOn('microphone') ? this.#media.track('microphone') : null);
    if (focused) /** @type {HTMLElement | null} */ (this.#pickers.querySelector(`[data-device=${focused}]`))?.focus();
  };

  /** @param {MediaDeviceInfo[]} all */
  #microphone(all) {
    const known = named(all, 'audioinput');
    if (known.length === 0) return [];
    return [h('div', { className: 'device' }, this.#picker('microphone', known), this.#meter.element)];
  }

  /** @param {MediaDeviceInfo[]} all */
  #camera(all) {
    const known = named(all, 'videoinput');
    return known.length === 0 ? [] : [this.#picker('camera', known)];
  }

  /**
   * @param {'microphone' | 'camera'} source
   * @param {[string, string][]} known
   */
  #picker(source, known) {
    const setting = source === 'microphone' ? 'microphoneId' : 'cameraId';
    const current = this.#media.track(source)?.getSettings().deviceId ?? settings.get(setting);
    const { select, label } = picker(strings[source], known, current, (id) => {
      settings.set({ [setting]: id });
      this.#media.useDevice(source, id).catch(() => this.#list());
    });
    select.dataset.device = source;
    return label;
  }

  /** @param {MediaDeviceInfo[]} all */
  #speaker(all) {
    const test = h('button', { type: 'button', className: 'secondary', onclick: () => playTestSound(settings.get('speakerId')).catch(() => {}) });
    test.dataset.device = 'test';
    test.append(icon('sound'), strings.testSound);
    const known = named(all, 'audiooutput').filter(([id]) => id !== 'default');
    if (!canChooseSink) return h('div', { className: 'device' }, test);
    if (known.length === 0) return h('div', { className: 'device' }, ...this.#askForSpeaker(), test);
    const options = /** @type {[string, string][]} */ ([['', strings.systemChoice], ...known]);
    const { select, label } = picker(strings.speaker, options, settings.get('speakerId'), (speakerId) => settings.set({ speakerId }));
    select.dataset.device = 'speaker';
    return h('div', { className: 'device' }, label, test);
  }

  /** Where loudspeakers are shown only by a dialog of the browser's own. */
  #askForSpeaker() {
    const devices = /** @type {MediaDevices & {selectAudioOutput?: () => Promise<MediaDeviceInfo>}} */ (navigator.mediaDevices ?? {});
    if (!devices.selectAudioOutput) return [];
    const choose = async () => {
      const chosen = await devices.selectAudioOutput?.().catch(() => null);
      if (chosen) settings.set({ speakerId: chosen.deviceId });
      this.#list();
    };
    return [h('button', { type: 'button', className: 'secondary', onclick: choose }, strings.chooseSpeaker)];
  }
}

/** @param {LocalMedia} media */
function processing(media) {
  const names = /** @type {const} */ (['noiseSuppression', 'echoCancellation', 'autoGainControl']);
  const toggles = names.map((name) =>
    toggle(strings[name], settings.get(name), (isOn) => {
      settings.set({ [name]: isOn });
      // A microphone that cannot be had again is seen to be off.
      media.process({ [name]: isOn }).catch(() => {});
    }),
  );
  return h('div', { className: 'toggles' }, ...toggles);
}

/**
 * Browsers list devices without id or name until one may be used.
 *
 * @param {MediaDeviceInfo[]} all
 * @param {MediaDeviceKind} kind
 * @returns {[id: string, name: string][]}
 */
function named(all, kind) {
  const known = all.filter((device) => device.kind === kind && device.deviceId);
  return known.map(({ deviceId, label }, index) => [deviceId, label || strings.device(index + 1)]);
}
