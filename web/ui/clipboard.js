import { strings } from '../strings.js';

/**
 * Puts a link into the clipboard, and says whether it is there; what is not is at least shown.
 *
 * @param {string} link
 * @param {(text: string) => void} say
 * @param {string} [copied] what to say when it is
 */
export async function copyLink(link, say, copied = strings.linkCopied) {
  try {
    // Absent on plain http.
    await navigator.clipboard.writeText(link);
    say(copied);
  } catch {
    say(strings.linkNotCopied(link));
  }
}
