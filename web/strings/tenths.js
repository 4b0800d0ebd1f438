/**
 * @param {number} value
 * @param {string} language a language tag (BCP 47)
 * @returns {string} with one digit after the point
 */
export function tenths(value, language) {
  return value.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}
