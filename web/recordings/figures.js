const MS_PER_SECOND = 1_000;
/** @type {[unit: string, bytes: number]} */
const LEAST = ['kilobyte', 1e3];
/** @type {[unit: string, bytes: number][]} */
const UNITS = [['gigabyte', 1e9], ['megabyte', 1e6]];

/** In the language of the page. */
function language() {
  return document.documentElement.lang || 'en';
}

/** @param {number} unixMs */
export function dateOf(unixMs) {
  return new Date(unixMs).toLocaleString(language(), { dateStyle: 'medium', timeStyle: 'short' });
}

/**
 * @param {number} ms
 * @returns {string} `1:02:03`, `2:03`
 */
export function lengthOf(ms) {
  const seconds = Math.round(ms / MS_PER_SECOND);
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** @param {number} bytes */
export function sizeOf(bytes) {
  const [unit, one] = UNITS.find(([, one]) => bytes >= one) ?? LEAST;
  const value = bytes / one;
  return value.toLocaleString(language(), { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}
