import { settings } from './settings.js';

const dark = globalThis.matchMedia?.('(prefers-color-scheme: dark)');

/** Keeps theme and mirror as they were chosen: attributes of the root that the style sheets read. */
export function followAppearance() {
  const apply = () => {
    const theme = settings.get('theme');
    const isDark = theme === 'dark' || (theme === 'system' && Boolean(dark?.matches));
    document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
    document.documentElement.dataset.mirror = settings.get('mirror') ? 'on' : 'off';
  };
  settings.on('change', apply);
  dark?.addEventListener?.('change', apply);
  apply();
}
