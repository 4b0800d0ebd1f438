/**
 * @typedef {{text: string, href: string | null}} Piece of a line: a link, or plain text
 */

const LINK = /https?:\/\/[^\s<>"]+/giu;
/** What ends a sentence rather than an address. */
const TAIL = /[.,;:!?'’”»]+$/u;

/**
 * Finds the http and https addresses in a text. Nothing else becomes a link.
 *
 * @param {string} text
 * @returns {Piece[]} in order; joined, they are the text again
 */
export function pieces(text) {
  /** @type {Piece[]} */
  const found = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const address = trimmed(match[0]);
    const href = hrefOf(address);
    if (!href) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index), href: null });
    found.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end), href: null });
  return found;
}

/** @param {string} address less the punctuation behind it; brackets stay where they have a partner */
function trimmed(address) {
  for (;;) {
    const shorter = withoutStrayBracket(address.replace(TAIL, ''));
    if (shorter === address) return address;
    address = shorter;
  }
}

/** @param {string} address */
function withoutStrayBracket(address) {
  const isStray = address.endsWith(')') && count(address, ')') > count(address, '(');
  return isStray ? address.slice(0, -1) : address;
}

/**
 * @param {string} text
 * @param {string} letter
 */
function count(text, letter) {
  return text.split(letter).length - 1;
}

/** @param {string} address */
function hrefOf(address) {
  try {
    const url = new URL(address);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}
