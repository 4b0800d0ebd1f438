const MS_PER_SECOND = 1_000;
const BYTES_PER_MB = 1_000_000;

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
  const [value, unit] = bytes >= 1_000 * BYTES_PER_MB ? [bytes / BYTES_PER_MB / 1_000, 'gigabyte'] : [bytes / BYTES_PER_MB, 'megabyte'];
  return value.toLocaleString(language(), { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}
