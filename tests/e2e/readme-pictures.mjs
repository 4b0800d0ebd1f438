// The pictures in README.md: real rooms, with drawn people before the cameras. Written to docs/.
//
//   node readme-pictures.mjs

import { fileURLToPath } from 'node:url';
import { all, House, othersOf, sleep } from './harness.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const NAMES = ['Ada', 'Ben', 'Chiara', 'Dev', 'Eve', 'Fatima'];
const PICTURES = [
  { file: 'three-peer-to-peer', count: 3, path: 'mesh', colorScheme: 'dark', then: openPeople },
  { file: 'six-over-the-node', count: 6, path: 'node', colorScheme: 'light', then: (members) => members[3].press('hand') },
];

for (const picture of PICTURES) await take(picture);

async function take({ file, count, path, colorScheme, then }) {
  const house = new House({ name: 'green-alto-7mk2p', after: () => {} });
  await house.node();
  const browser = await house.chromium();
  const members = [];
  for (let at = 0; at < count; at += 1) members.push(await house.member({ newPage: () => pageOf(browser, at, colorScheme) }, NAMES[at]));
  await all(members, (member) => member.sees(othersOf(members, member), { path, timeout: 60_000 }));
  await then(members);
  await sleep(7_000);
  await members[0].page.screenshot({ path: here(`../../docs/${file}.png`) });
  await house.close();
}

/** A page whose camera sees a drawn person; everything behind the camera is as always. */
async function pageOf(browser, at, colorScheme) {
  const page = await browser.newPage();
  await page.setViewportSize({ width: 1120, height: 660 });
  await page.emulateMedia({ colorScheme });
  await page.route('**/portraits.js', (route) => route.fulfill({ path: here('portraits.js'), contentType: 'text/javascript' }));
  await page.addInitScript((at) => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const { portrait } = await import('/portraits.js');
      const sound = constraints.audio ? (await open({ audio: constraints.audio })).getAudioTracks() : [];
      return new MediaStream([...sound, ...(constraints.video ? [portrait(at, 15)] : [])]);
    };
  }, at + 1);
  return page;
}

/** The list of people, with the figures of one of them. */
async function openPeople([{ page }]) {
  await page.keyboard.press('p');
  await page.click('.row .who >> nth=1');
}
