import { h } from './dom.js';

/**
 * A line of text with its label.
 *
 * @param {string} label
 * @param {Record<string, unknown>} properties of the input
 */
export function textField(label, properties) {
  const input = h('input', { type: 'text', maxLength: 64, spellcheck: false, ...properties });
  return { input, label: h('label', { className: 'field' }, h('span', {}, label), input) };
}

/**
 * @param {string} label
 * @param {boolean} checked
 * @param {(isOn: boolean) => void} changed
 */
export function toggle(label, checked, changed) {
  const input = h('input', { type: 'checkbox', role: 'switch', checked });
  input.onchange = () => changed(input.checked);
  return h('label', { className: 'toggle' }, h('span', {}, label), input);
}

/**
 * One of several.
 *
 * @param {string} label
 * @param {[value: string, text: string][]} options
 * @param {string} current
 * @param {(value: string) => void} changed
 */
export function picker(label, options, current, changed) {
  const choices = options.map(([value, text]) => h('option', { value, selected: value === current }, text));
  const select = h('select', {}, ...choices);
  select.onchange = () => changed(select.value);
  return { select, label: h('label', { className: 'field' }, h('span', {}, label), select) };
}
