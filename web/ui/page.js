import { at } from '../base.js';
import { strings } from '../strings.js';
import { copyLink } from './clipboard.js';
import { h, icon } from './dom.js';
import { SettingsDialog } from './settings.js';

/** @import { LocalMedia } from '../media.js' */

/**
 * The frame of the pages before and after a room: the way home, the settings, and what is in between.
 *
 * @param {object} options
 * @param {LocalMedia | null} [options.media] what the settings choose devices for
 * @param {boolean} [options.isHome] needs no way home
 * @param {string} [options.kind] class of the content
 * @param {(Node | string | null | undefined | false)[]} options.content
 */
export function pageOf({ media = null, isHome = false, kind = '', content }) {
  const brand = h('a', { className: 'brand', href: at('') }, h('img', { src: at('icon.svg'), alt: '', width: 28, height: 28 }), strings.product);
  const open = () => new SettingsDialog({ media }).open();
  const settings = h('button', { type: 'button', className: 'secondary', onclick: open }, icon('sliders'), strings.settings);
  settings.dataset.tool = 'settings';
  return h('div', { className: 'page' }, h('header', { className: 'masthead' }, !isHome && brand, settings), h('main', { className: kind }, ...content));
}

/**
 * What comes into focus when the element is on the page.
 *
 * @param {HTMLElement | null | undefined} element
 */
export function focusSoon(element) {
  queueMicrotask(() => element?.focus());
}

/**
 * A button that copies a link, and the words that say whether it did.
 *
 * @param {string} label
 * @param {() => string} link
 * @param {{copied: string, status: HTMLElement}} options `status` is a live region
 */
export function copyButton(label, link, { copied, status }) {
  const copy = () => copyLink(link(), (text) => (status.textContent = text), copied);
  return h('button', { type: 'button', className: 'secondary', onclick: copy }, icon('link'), label);
}
