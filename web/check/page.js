import { checks, errors, strings } from '../strings.js';
import { h } from '../ui/dom.js';
import { pageOf } from '../ui/page.js';
import { ROWS } from './examination.js';

/** @import { Examination, Result, RowId } from './examination.js' */

/** The examination as a page: a sentence, a row for each way, and a report to send to somebody. */
export class CheckPage {
  #examination;
  #summary = h('p', { className: 'summary', role: 'status' });
  #said = h('p', { className: 'quiet small', role: 'status' });
  #copy;
  /** @type {Map<RowId, HTMLElement>} */
  #rows = new Map();
  element;

  /**
   * @param {object} options
   * @param {Examination} options.examination
   * @param {() => void} options.again begins another one
   */
  constructor({ examination, again }) {
    this.#examination = examination;
    this.#copy = h('button', { type: 'button', className: 'primary', onclick: () => this.#copyReport() }, checks.copy);
    const repeat = h('button', { type: 'button', className: 'secondary', onclick: again }, checks.again);
    for (const row of ROWS) this.#rows.set(row, h('li', {}));
    const card = h(
      'div',
      { className: 'card check' },
      h('h1', {}, checks.title),
      this.#summary,
      h('ul', { className: 'ways' }, ...this.#rows.values()),
      h('div', { className: 'check-actions' }, this.#copy, repeat),
      this.#said,
    );
    this.element = pageOf({ kind: 'one', content: [card] });
    for (const row of ROWS) this.#show(row);
    this.#conclude();
    examination.on('result', (row) => this.#show(row));
    examination.on('done', () => this.#conclude());
  }

  /** @param {RowId} row */
  #show(row) {
    const result = this.#resultOf(row);
    const element = /** @type {HTMLElement} */ (this.#rows.get(row));
    element.dataset.row = row;
    element.dataset.outcome = result.outcome;
    const mark = h('span', { className: 'mark', 'aria-hidden': 'true' }, MARKS[result.outcome]);
    const figures = figuresOf(result);
    element.replaceChildren(
      mark,
      h('h2', {}, checks.rows[row].name),
      h('span', { className: 'outcome' }, checks.outcomes[result.outcome]),
      h('p', { className: 'quiet small' }, explanation(row, result)),
      figures && h('p', { className: 'quiet small measured' }, figures),
    );
  }

  #conclude() {
    const { verdict } = this.#examination;
    this.#summary.dataset.verdict = verdict;
    this.#summary.textContent = checks.verdicts[verdict];
    this.#copy.disabled = !this.#examination.isDone;
  }

  async #copyReport() {
    const text = this.report();
    try {
      // Absent on plain http.
      await navigator.clipboard.writeText(text);
      this.#said.textContent = checks.copied;
    } catch {
      this.#said.replaceChildren(checks.copyYourself, h('textarea', { className: 'report', readOnly: true, rows: 8, value: text, 'aria-label': checks.copyYourself }));
    }
  }

  /** For whoever runs the node: in the reader's language, and without credentials. */
  report() {
    const { at, verdict } = this.#examination;
    const lines = ROWS.map((row) => {
      const result = this.#resultOf(row);
      const name = `${checks.rows[row].name}: ${checks.outcomes[result.outcome]}`;
      return [name, figuresOf(result), result.outcome === 'ok' ? '' : explanation(row, result)].filter(Boolean).join('. ');
    });
    return [`${strings.product}, ${location.origin}, ${at.toISOString()}`, navigator.userAgent, '', checks.verdicts[verdict], '', ...lines, ''].join('\n');
  }

  /** @param {RowId} row */
  #resultOf(row) {
    return this.#examination.results.get(row) ?? { outcome: /** @type {const} */ ('running') };
  }
}

/** @type {Record<Result['outcome'], string>} */
const MARKS = { running: '…', ok: '✓', limited: '!', failed: '✕', notOffered: '–', notTried: '–' };

/**
 * @param {RowId} row
 * @param {Result} result
 * @returns {string}
 */
function explanation(row, { outcome, why = '' }) {
  const { what, ok, failed } = checks.rows[row];
  const because = /** @type {Record<string, string | undefined>} */ (checks.because)[`${row}.${why}`];
  if (row === 'websocket' && outcome === 'failed' && why !== 'closed') return errors[/** @type {keyof typeof errors} */ (why)] ?? failed;
  if (because) return because;
  if (outcome === 'ok') return ok;
  if (outcome === 'failed') return failed;
  if (outcome === 'notOffered') return checks.notOffered;
  return outcome === 'notTried' ? checks.notTried : what;
}

/** @param {Result} result */
function figuresOf({ detail, connectMs, rttMs }) {
  const parts = [
    connectMs !== undefined && checks.connected(connectMs),
    rttMs !== undefined && checks.roundTrip(rttMs),
    detail,
  ];
  return parts.filter(Boolean).join(', ');
}
