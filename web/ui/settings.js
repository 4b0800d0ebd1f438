import { at } from '../base.js';
import { settings } from '../settings.js';
import { checks, languages, strings } from '../strings.js';
import { DeviceControls } from './devices.js';
import { h, icon } from './dom.js';
import { picker, toggle } from './form.js';

/**
 * @import { LocalMedia } from '../media.js'
 * @import { Theme } from '../settings.js'
 */

/**
 * Everything that can be chosen, over whatever page is open: `new SettingsDialog({ media }).open()`.
 */
export class SettingsDialog {
  #media;
  #inRoom;
  /** @type {DeviceControls | null} */
  #devices = null;
  element = h('dialog', { className: 'settings' });

  /**
   * @param {object} options
   * @param {LocalMedia | null} options.media whose devices are chosen; nothing: no devices are shown
   * @param {boolean} [options.inRoom] says that the room changes its language later
   */
  constructor({ media, inRoom = false }) {
    this.#media = media;
    this.#inRoom = inRoom;
  }

  open() {
    this.#draw();
    document.body.append(this.element);
    // The page behind is drawn anew in the other language, this dialog too.
    const stop = settings.on('change', ({ language }) => {
      if (language === undefined) return;
      this.#draw();
      /** @type {HTMLElement | null} */ (this.element.querySelector('[data-setting=language]'))?.focus();
    });
    this.element.onclose = () => {
      stop();
      this.#devices?.close();
      this.element.remove();
    };
    this.element.showModal();
  }

  #draw() {
    this.#devices?.close();
    this.#devices = this.#media && new DeviceControls(this.#media);
    const done = () => this.element.close();
    const close = h('button', { type: 'button', className: 'round', 'aria-label': strings.close, onclick: done }, icon('close'));
    this.element.setAttribute('aria-label', strings.settings);
    this.element.replaceChildren(
      h('header', {}, h('h2', {}, strings.settings), close),
      h(
        'div',
        { className: 'settings-body' },
        this.#devices?.element,
        toggle(strings.mirror, settings.get('mirror'), (mirror) => settings.set({ mirror })),
        toggle(strings.openByLink, settings.get('openByLink'), (openByLink) => settings.set({ openByLink })),
        h('div', { className: 'side-by-side' }, languagePicker(), themePicker()),
        this.#inRoom && h('p', { className: 'quiet small' }, strings.languageLater),
        h('a', { href: at('check'), className: 'plain small to-check', target: '_blank', rel: 'noopener' }, checks.link),
      ),
      h('footer', {}, h('button', { type: 'button', className: 'primary', onclick: done }, strings.done)),
    );
  }
}

function languagePicker() {
  const options = /** @type {[string, string][]} */ ([['', strings.browserLanguage], ...Object.entries(languages)]);
  const { select, label } = picker(strings.language, options, settings.get('language'), (language) => settings.set({ language }));
  select.dataset.setting = 'language';
  return label;
}

function themePicker() {
  const options = /** @type {[string, string][]} */ (Object.entries(strings.themes));
  const { select, label } = picker(strings.theme, options, settings.get('theme'), (theme) => settings.set({ theme: /** @type {Theme} */ (theme) }));
  select.dataset.setting = 'theme';
  return label;
}
