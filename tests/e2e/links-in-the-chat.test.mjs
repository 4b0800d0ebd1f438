import assert from 'node:assert/strict';
import test from 'node:test';
import { pieces } from '../../web/ui/links.js';

const cases = [
  ['no link at all', []],
  ['see https://motet.example/r/choir.', ['https://motet.example/r/choir']],
  ['http://a.example and (https://b.example/x_(y)), then!', ['http://a.example', 'https://b.example/x_(y)']],
  ['javascript:alert(1) data:text/html,x ftp://a.example //b.example www.c.example', []],
  ['https:// http://', []],
  ['<https://a.example/?q="x">', ['https://a.example/?q=']],
  ['HTTPS://A.EXAMPLE/Path?', ['HTTPS://A.EXAMPLE/Path']],
  ['line one\nhttps://a.example\nline three', ['https://a.example']],
];

test('only http and https addresses become links, without the punctuation behind them', () => {
  for (const [text, links] of cases) {
    const found = pieces(text);
    assert.deepEqual(found.filter(({ href }) => href).map(({ text }) => text), links, text);
    assert.equal(found.map(({ text }) => text).join(''), text, 'nothing is lost');
    for (const { href } of found) assert.ok(href === null || /^https?:\/\/\S+$/.test(href), href);
  }
});
