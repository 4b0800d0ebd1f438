/** @import { Result } from './examination.js' */

const DEVICES = /** @type {const} */ (['camera', 'microphone']);

/**
 * Whether camera and microphone may be opened. Nothing is opened and nobody is asked.
 *
 * @returns {Promise<Result>}
 */
export async function devicePermissions() {
  if (!navigator.mediaDevices) return { outcome: 'failed', why: 'insecure' };
  const states = await Promise.all(DEVICES.map(permission));
  if (states.includes('denied')) return { outcome: 'limited', why: 'denied' };
  const kinds = new Set((await navigator.mediaDevices.enumerateDevices()).map(({ kind }) => kind));
  if (!kinds.has('audioinput') && !kinds.has('videoinput')) return { outcome: 'limited', why: 'absent' };
  if (states.every((state) => state === 'granted')) return { outcome: 'ok', why: 'granted' };
  return { outcome: 'ok', why: 'prompt' };
}

/**
 * @param {string} name
 * @returns {Promise<PermissionState | 'unknown'>}
 */
async function permission(name) {
  try {
    const status = await navigator.permissions.query({ name: /** @type {PermissionName} */ (name) });
    return status.state;
  } catch {
    // Not every browser knows these names.
    return 'unknown';
  }
}
