import { settings } from './settings.js';
import { checkWords } from './strings/check.js';
import * as de from './strings/de.js';
import * as en from './strings/en.js';
import * as fr from './strings/fr.js';
import { recordingWords } from './strings/recordings.js';

// Everything that people read: a file for each language, one of which is in use.

/** @typedef {keyof typeof languages} Language */

/** The languages there are, each by its own name. */
export const languages = { en: 'English', de: 'Deutsch', fr: 'Français' };

/** @type {typeof en.words} in the language in use; read it when it is shown */
export let strings;
/** @type {typeof en.reasons} */
export let reasons;
/** @type {typeof en.errors} */
export let errors;
/** @type {typeof checkWords.en} */
export let checks;
/** @type {typeof recordingWords.en} */
export let recorded;

/** @param {Language} language what is drawn from now on is in it */
export function setLanguage(language) {
  ({ words: strings, reasons, errors } = { en, de, fr }[language]);
  checks = checkWords[language];
  recorded = recordingWords[language];
  if (globalThis.document) document.documentElement.lang = language;
}

/**
 * @param {string} chosen nothing, if nobody chose
 * @param {readonly string[]} preferred language tags (BCP 47), most wanted first
 * @returns {Language}
 */
export function languageFor(chosen, preferred) {
  const wanted = [chosen, ...preferred].map((tag) => tag.toLowerCase().split('-')[0] ?? '');
  const known = /** @type {Language | undefined} */ (wanted.find((language) => Object.hasOwn(languages, language)));
  return known ?? 'en';
}

/** Uses the language that was chosen here, else one that the browser prefers. */
export function usePreferredLanguage() {
  setLanguage(languageFor(settings.get('language'), globalThis.navigator?.languages ?? []));
}

usePreferredLanguage();
