import { linkTo } from '../owner.js';
import { settings } from '../settings.js';
import { strings } from '../strings.js';
import { DeviceControls } from './devices.js';
import { h, icon, setIcon } from './dom.js';
import { textField } from './form.js';
import { deviceHelp } from './help.js';
import { copyButton, focusSoon, pageOf } from './page.js';

/**
 * @import { LocalMedia } from '../media.js'
 *
 * @typedef {object} PrejoinOptions
 * @property {string} room its name
 * @property {string} ownerKey nothing for guests
 * @property {LocalMedia} media opened here, and taken into the room
 * @property {(name: string, withDevices: boolean) => void} join
 */

/** The page on which one sees oneself, says who one is, and enters. */
export class PrejoinPage {
  #options;
  #devices;
  #video = h('video', { muted: true, autoplay: true, playsInline: true, 'aria-label': strings.yourPicture });
  #off = h('p', { className: 'preview-off' });
  #help = h('div', {});
  #buttons;
  #stopListening;
  #name = textField(strings.yourName, { name: 'name', value: settings.get('name'), autocomplete: 'nickname', required: true });
  #problem = h('p', { className: 'problem', id: 'name-problem', role: 'alert' });
  element;

  /** @param {PrejoinOptions} options */
  constructor(options) {
    this.#options = options;
    this.#devices = new DeviceControls(options.media);
    this.#buttons = {
      microphone: this.#button('microphone', 'mic'),
      camera: this.#button('camera', 'camera'),
    };
    this.#name.input.oninput = () => settings.set({ name: this.#name.input.value.trim() });
    this.#name.input.setAttribute('aria-describedby', this.#problem.id);
    const join = h('button', { className: 'primary', type: 'submit' }, strings.join);
    this.element = pageOf({ media: options.media, kind: 'lobby', content: [this.#preview(), this.#form(join), this.#devices.element] });
    this.#stopListening = options.media.on('change', () => this.#update());
    this.#update();
    focusSoon(settings.get('name') ? join : this.#name.input);
  }

  /** Opens what was on last time; the browser may ask. */
  async open() {
    const { media } = this.#options;
    const wanted = { microphone: settings.get('microphone'), camera: settings.get('camera') };
    const isOpen = { microphone: media.isOn('microphone'), camera: media.isOn('camera') };
    const missing = { microphone: wanted.microphone && !isOpen.microphone, camera: wanted.camera && !isOpen.camera };
    if (!missing.microphone && !missing.camera) return;
    this.#off.textContent = strings.asking;
    const problem = await media.open(missing);
    this.#update();
    if (problem.microphone && problem.camera) this.#explain('both', problem.camera);
    else if (problem.microphone) this.#explain('microphone', problem.microphone);
    else if (problem.camera) this.#explain('camera', problem.camera);
    else this.#help.replaceChildren();
  }

  /** To be called when it is taken off the page; the media stay open. */
  close() {
    this.#stopListening();
    this.#devices.close();
    this.#video.srcObject = null;
  }

  #preview() {
    const tools = h('div', { className: 'preview-tools' }, this.#buttons.microphone, this.#buttons.camera);
    const picture = h('div', { className: 'preview' }, this.#video, this.#off, tools);
    return h('section', { className: 'preview-side', 'aria-label': strings.yourPicture }, picture, h('p', { className: 'quiet small mirror-hint' }, strings.mirrorHint));
  }

  /** @param {HTMLButtonElement} join */
  #form(join) {
    const { room, ownerKey } = this.#options;
    const without = h('button', { type: 'button', className: 'plain', onclick: () => this.#submit(false) }, strings.joinWithout);
    const form = h(
      'form',
      { className: 'card', noValidate: true },
      h('h1', {}, h('span', { className: 'quiet small' }, strings.thisRoom), ' ', h('span', { className: 'room-name' }, room)),
      this.#help,
      h('div', {}, this.#name.label, this.#problem),
      join,
      without,
      ownerKey && ownership(room, ownerKey),
    );
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#submit(true);
    };
    return form;
  }

  /** @param {boolean} withDevices */
  #submit(withDevices) {
    const name = this.#name.input.value.trim();
    this.#problem.textContent = name ? '' : strings.needName;
    this.#name.input.setAttribute('aria-invalid', String(!name));
    if (!name) return this.#name.input.focus();
    settings.set({ name });
    this.#options.join(name, withDevices);
  }

  /**
   * @param {'microphone' | 'camera'} source
   * @param {string} symbol
   */
  #button(source, symbol) {
    const button = h('button', { type: 'button', className: 'round-tool', title: strings[source], 'aria-label': strings[source] }, icon(symbol));
    button.dataset.tool = symbol;
    button.onclick = () => this.#toggle(source);
    return button;
  }

  /** @param {'microphone' | 'camera'} source */
  async #toggle(source) {
    const { media } = this.#options;
    const on = !media.isOn(source);
    settings.set({ [source]: on });
    try {
      await (source === 'microphone' ? media.setMicrophone(on) : media.setCamera(on));
      this.#help.replaceChildren();
    } catch (error) {
      this.#explain(source, error);
    }
  }

  /**
   * @param {'microphone' | 'camera' | 'both'} source
   * @param {unknown} error
   */
  #explain(source, error) {
    this.#help.replaceChildren(deviceHelp(source, error, () => this.open()));
  }

  #update() {
    const { media } = this.#options;
    const track = media.track('camera');
    const shown = /** @type {MediaStream | null} */ (this.#video.srcObject)?.getVideoTracks()[0] ?? null;
    if (shown !== track) this.#video.srcObject = track && new MediaStream([track]);
    this.#video.hidden = !track;
    this.#off.hidden = Boolean(track);
    this.#off.textContent = strings.cameraIsOff;
    for (const source of /** @type {const} */ (['microphone', 'camera'])) {
      const button = this.#buttons[source];
      const isOn = media.isOn(source);
      button.setAttribute('aria-pressed', String(isOn));
      const symbol = source === 'microphone' ? 'mic' : 'camera';
      const svg = button.querySelector('svg');
      if (svg) setIcon(svg, isOn ? symbol : `${symbol}-off`);
    }
  }
}

/**
 * @param {string} room
 * @param {string} key
 */
function ownership(room, key) {
  const status = h('p', { className: 'small', role: 'status' });
  return h(
    'section',
    { className: 'ownership' },
    h('h2', {}, strings.yourOwnRoom),
    copyButton(strings.copyGuestLink, () => linkTo(room), { copied: strings.linkCopied, status }),
    copyButton(strings.copyOwnerLink, () => linkTo(room, key), { copied: strings.ownerLinkCopied, status }),
    status,
    h('p', { className: 'quiet small' }, strings.ownerHint),
  );
}
