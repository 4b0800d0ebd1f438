import { strings } from '../strings.js';
import { h, icon } from './dom.js';

/**
 * Shows a modal dialog; whatever had the focus gets it back.
 *
 * @param {HTMLElement} host
 * @param {string} title
 * @param {...(Node | string)} content
 * @returns {HTMLDialogElement}
 */
export function openDialog(host, title, ...content) {
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const close = h('button', { type: 'button', className: 'round', 'aria-label': strings.close }, icon('close'));
  const dialog = h('dialog', { className: 'dialog', 'aria-label': title }, h('header', {}, h('h2', {}, title), close), ...content);
  close.onclick = () => dialog.close();
  dialog.onclick = ({ target }) => {
    // Only the backdrop is the dialog itself; its content fills the rest.
    if (target === dialog) dialog.close();
  };
  dialog.onclose = () => {
    dialog.remove();
    before?.focus();
  };
  host.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks before something that cannot be taken back.
 *
 * @param {HTMLElement} host
 * @param {{question: string, yes: string, no: string, act: () => unknown}} options
 */
export function confirmIn(host, { question, yes, no, act }) {
  const no_ = h('button', { type: 'button', className: 'secondary' }, no);
  const yes_ = h('button', { type: 'button', className: 'secondary dangerous' }, yes);
  const dialog = openDialog(host, question, h('div', { className: 'answers' }, no_, yes_));
  no_.onclick = () => dialog.close();
  yes_.onclick = () => {
    dialog.close();
    act();
  };
  no_.focus();
}
