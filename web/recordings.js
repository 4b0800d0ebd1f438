import { followAppearance } from './appearance.js';
import { Library } from './recordings/library.js';
import { RecordingsPage } from './recordings/page.js';
import { settings } from './settings.js';
import { recorded, strings, usePreferredLanguage } from './strings.js';

const app = /** @type {HTMLElement} */ (document.getElementById('app'));
const library = new Library();
/** @type {RecordingsPage | null} */
let page = null;

function show() {
  document.title = `${recorded.title} · ${strings.product}`;
  page?.close();
  page = new RecordingsPage(library);
  app.replaceChildren(page.element);
}

settings.on('change', ({ language }) => {
  if (language === undefined) return;
  usePreferredLanguage();
  show();
});
followAppearance();
show();
