// Brings a page of a browser (Playwright's) to each page of the client, for photographs and checks.

/** Everything that is put on the page by hand is made of the client's own modules. */
async function put(page, url, make) {
  await page.goto(`${url}/`);
  await page.waitForSelector('.home');
  await page.evaluate(make);
}

/** @type {Record<string, (page: import('playwright-core').Page, url: string) => Promise<void>>} */
export const PAGES = {
  home: async (page, url) => {
    await page.goto(`${url}/`);
    await page.waitForSelector('.home');
  },
  prejoin: async (page, url) => {
    await page.goto(`${url}/r/gentle-cello-k3m9p`);
    await page.waitForSelector('.preview video:not([hidden])');
    await page.waitForSelector('select[data-device=microphone]');
  },
  'prejoin-owner': async (page, url) => {
    await page.goto(`${url}/`);
    await page.click('.home .offer .primary');
    await page.waitForSelector('.ownership');
    await page.waitForSelector('.preview video:not([hidden])');
  },
  'prejoin-denied': async (page, url) => {
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    });
    await page.goto(`${url}/r/gentle-cello-k3m9p`);
    await page.waitForSelector('.help');
  },
  settings: async (page, url) => {
    await PAGES.prejoin(page, url);
    await page.click('.masthead [data-tool=settings]');
    await page.waitForSelector('dialog[open] select[data-device=microphone]');
  },
  waiting: (page, url) =>
    put(page, url, async () => {
      const { WaitingPage } = await import('/ui/waiting.js');
      document.querySelector('#app').replaceChildren(new WaitingPage({ room: 'gentle-cello-k3m9p', leave() {} }).element);
    }),
  unreachable: (page, url) =>
    put(page, url, async () => {
      const { UnreachablePage } = await import('/ui/waiting.js');
      document.querySelector('#app').replaceChildren(new UnreachablePage({ retry() {} }).element);
    }),
  ended: async (page, url) => {
    await page.goto(`${url}/r/ended?join&name=Ada&video=0&audio=0`);
    await page.waitForFunction(() => window.motet?.state === 'joined');
    await page.click('[data-tool=leave]');
    await page.waitForSelector('.notice-card');
  },
  removed: (page, url) =>
    put(page, url, async () => {
      const { endedPage } = await import('/ui/ended.js');
      document.querySelector('#app').replaceChildren(endedPage({ reason: 'removed', error: null }, () => {}));
    }),
  'room-full': (page, url) =>
    put(page, url, async () => {
      const { endedPage } = await import('/ui/ended.js');
      document.querySelector('#app').replaceChildren(endedPage({ reason: null, error: { code: 'roomFull', message: '' } }, () => {}));
    }),
  check: async (page, url) => {
    await page.goto(`${url}/check`);
    await page.waitForSelector('.check-actions .primary:enabled', { timeout: 40_000 });
  },
  offline: async (page, url) => {
    await page.goto(`${url}/offline.html`);
    await page.waitForSelector('section:not([hidden])');
  },
  missing: async (page, url) => {
    await page.goto(`${url}/nothing/here`);
    await page.waitForSelector('section:not([hidden]) a');
  },
};

/** Makes it the page of somebody who has been here before. */
export async function visitor(page) {
  await page.addInitScript(() => localStorage.getItem('motet') ?? localStorage.setItem('motet', JSON.stringify({ name: 'Ada' })));
  return page;
}
