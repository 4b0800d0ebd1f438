import { at } from '../base.js';

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Makes an element. Properties are set as properties where there is one of that name, else as
 * attributes; `on…` are listeners.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) Reflect.set(element, name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** @param {string} name of a symbol in `icons.svg` */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', at(`icons.svg#${name}`));
  svg.append(use);
  return svg;
}

/**
 * @param {Element} svg made by `icon`
 * @param {string} name
 */
export function setIcon(svg, name) {
  const use = svg.querySelector('use');
  const href = at(`icons.svg#${name}`);
  if (use?.getAttribute('href') !== href) use?.setAttribute('href', href);
}

/**
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
