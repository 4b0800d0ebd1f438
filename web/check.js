import { followAppearance } from './appearance.js';
import { webSocketUrl } from './base.js';
import { Examination } from './check/examination.js';
import { CheckPage } from './check/page.js';
import { settings } from './settings.js';
import { checks, strings, usePreferredLanguage } from './strings.js';

const app = /** @type {HTMLElement} */ (document.getElementById('app'));
const url = webSocketUrl();
let examination = new Examination(url);
/** @type {CheckPage} */
let page;

function show() {
  document.title = `${checks.title} · ${strings.product}`;
  page = new CheckPage({ examination, again: begin });
  app.replaceChildren(page.element);
}

function begin() {
  examination.close();
  examination = new Examination(url);
  show();
  examination.run();
}

settings.on('change', ({ language }) => {
  if (language === undefined) return;
  usePreferredLanguage();
  show();
});
window.addEventListener('pagehide', () => examination.close());
followAppearance();
begin();
