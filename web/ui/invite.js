import { strings } from '../strings.js';
import { copyLink } from './clipboard.js';
import { openDialog } from './dialog.js';
import { h, icon } from './dom.js';
import { qr } from './qr.js';

const SVG = 'http://www.w3.org/2000/svg';
/** Light modules around the code (ISO/IEC 18004, 6.3.8). */
const QUIET = 4;

/** @returns {string} where others find this room: without what belongs to this page alone */
function linkOfRoom() {
  return new URL(location.pathname, location.href).href;
}

/** @param {(text: string) => void} say */
export function copyRoomLink(say) {
  return copyLink(linkOfRoom(), say);
}

/** @param {(text: string) => void} say */
export function linkButton(say) {
  return h('button', { type: 'button', className: 'copy', title: strings.copyLink, onclick: () => copyRoomLink(say) }, icon('link'), h('span', {}, strings.copyLink));
}

/** @param {HTMLElement} host */
export function openCode(host) {
  const link = linkOfRoom();
  const matrix = qr(link);
  const picture = matrix ? codeOf(matrix) : h('p', {}, strings.codeTooLong);
  openDialog(host, strings.showCode, h('div', { className: 'code' }, picture), h('p', { className: 'quiet' }, strings.codeHint), h('p', { className: 'address' }, link));
}

/** @param {boolean[][]} matrix */
function codeOf(matrix) {
  const side = matrix.length + 2 * QUIET;
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  const squares = matrix.flatMap((line, row) => line.flatMap((dark, column) => (dark ? [`M${column + QUIET} ${row + QUIET}h1v1h-1z`] : [])));
  svg.setAttribute('viewBox', `0 0 ${side} ${side}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', strings.showCode);
  svg.setAttribute('shape-rendering', 'crispEdges');
  path.setAttribute('d', squares.join(''));
  svg.append(path);
  return svg;
}
