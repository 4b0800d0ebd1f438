import { strings } from '../strings.js';
import { h } from './dom.js';
import { remembered, remember } from './memory.js';

/**
 * @typedef {{name: string, room: string, microphone: boolean, camera: boolean}} Entry
 */

/**
 * The page on which one says who one is and where one wants to go.
 *
 * @param {object} options
 * @param {string} options.room empty if the address names none
 * @param {string} options.problem why an attempt to join failed
 * @param {(entry: Entry) => void} options.enter
 */
export function homePage({ room, problem, enter }) {
  const memory = remembered();
  const name = field('name', strings.yourName, memory.name ?? '', { autocomplete: 'nickname', required: true });
  const place = field('room', strings.roomName, room || (memory.room ?? ''), { autocomplete: 'off', placeholder: strings.roomHint });
  const microphone = choice('microphone', strings.withMicrophone, memory.microphone ?? true);
  const camera = choice('camera', strings.withCamera, memory.camera ?? true);
  const form = h(
    'form',
    { className: 'card' },
    h('h1', { className: 'brand' }, h('img', { src: '/icon.svg', alt: '', width: 36, height: 36 }), strings.product),
    h('p', { className: 'quiet' }, strings.tagline),
    problem && h('p', { className: 'problem', role: 'alert' }, problem),
    name.label,
    place.label,
    h('div', { className: 'choices' }, microphone.label, camera.label),
    h('button', { className: 'primary', type: 'submit' }, strings.join),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    const entry = {
      name: name.input.value.trim(),
      room: place.input.value.trim() || newRoomName(),
      microphone: microphone.input.checked,
      camera: camera.input.checked,
    };
    if (!entry.name) return name.input.focus();
    remember(entry);
    enter(entry);
  };
  queueMicrotask(() => (name.input.value ? form.querySelector('button') : name.input)?.focus());
  return h('main', { className: 'page' }, form);
}

/**
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.text
 * @param {() => void} options.again
 */
export function endedPage({ title, text, again }) {
  const button = h('button', { className: 'primary', type: 'button', onclick: again }, strings.rejoin);
  queueMicrotask(() => button.focus());
  return h(
    'main',
    { className: 'page' },
    h(
      'div',
      { className: 'card ended' },
      h('h1', {}, title),
      text && text !== title && h('p', { className: 'quiet', role: 'status' }, text),
      button,
      h('a', { href: '/', className: 'plain' }, strings.otherRoom),
    ),
  );
}

/**
 * @param {string} name
 * @param {string} text
 * @param {string} value
 * @param {Record<string, unknown>} properties
 */
function field(name, text, value, properties) {
  const input = h('input', { type: 'text', name, value, maxLength: 64, ...properties });
  return { input, label: h('label', { className: 'field' }, h('span', {}, text), input) };
}

/**
 * @param {string} name
 * @param {string} text
 * @param {boolean} checked
 */
function choice(name, text, checked) {
  const input = h('input', { type: 'checkbox', name, checked });
  return { input, label: h('label', { className: 'choice' }, input, h('span', {}, text)) };
}

const ADJECTIVES = ['amber', 'brisk', 'calm', 'clear', 'early', 'gentle', 'golden', 'light', 'mellow', 'quiet', 'silver', 'warm'];
const NOUNS = ['alto', 'bass', 'cantor', 'canon', 'cello', 'choir', 'flute', 'harp', 'lute', 'tenor', 'viola', 'voice'];

function newRoomName() {
  const random = crypto.getRandomValues(new Uint32Array(3));
  const pick = (/** @type {string[]} */ words, /** @type {number} */ at) => words[(random[at] ?? 0) % words.length];
  return `${pick(ADJECTIVES, 0)}-${pick(NOUNS, 1)}-${(random[2] ?? 0) % 10_000}`;
}
