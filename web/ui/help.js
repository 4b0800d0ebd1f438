import { strings } from '../strings.js';
import { h } from './dom.js';

/**
 * Which browser this is: only to say in its words where something is allowed.
 *
 * @param {string} agent `navigator.userAgent`
 * @returns {keyof typeof strings.allow}
 */
export function browserOf(agent) {
  if (/iPhone|iPad|iPod/.test(agent)) return 'ios';
  if (/Android/.test(agent)) return 'android';
  if (/Firefox\//.test(agent)) return 'firefox';
  if (/Chrom(e|ium)\//.test(agent)) return 'chromium';
  return /Safari\//.test(agent) ? 'safari' : 'other';
}

/**
 * Says in plain words why a device is missing and what can be done.
 *
 * @param {'microphone' | 'camera' | 'both'} source
 * @param {unknown} error of `getUserMedia`
 * @param {() => void} again tries once more
 */
export function deviceHelp(source, error, again) {
  const { title, text } = wordsFor(source, /** @type {Error} */ (error).name);
  const retry = h('button', { type: 'button', className: 'secondary', onclick: again }, strings.tryAgain);
  return h('div', { className: 'help', role: 'alert' }, h('strong', {}, title), text && h('p', {}, text), globalThis.isSecureContext !== false && retry);
}

/**
 * @param {'microphone' | 'camera' | 'both'} source
 * @param {string} problem name of the error
 */
function wordsFor(source, problem) {
  if (problem === 'SecurityError') return { title: strings.insecureTitle, text: strings.insecureHelp };
  if (problem === 'NotAllowedError') return { title: strings.deniedTitle, text: strings.allow[browserOf(navigator.userAgent)] };
  const title = { microphone: strings.noMicrophone, camera: strings.noCamera, both: strings.noDevices }[source];
  return { title, text: problem === 'NotReadableError' ? strings.deviceInUse : '' };
}
