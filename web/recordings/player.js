import { recorded } from '../strings.js';
import { h } from '../ui/dom.js';
import { picker } from '../ui/form.js';
import { Ensemble, silence } from './ensemble.js';

/** @import { Library, Recording, TrackFile } from './library.js' */
/** @import { Part } from './ensemble.js' */

const EVERYONE = 'everyone';
/** Pictures beside the large one: each takes one of the six connections that a browser has to a node. */
const SIDE_PICTURES_MAX = 3;
const SUBTITLES = 'speakers.vtt';

/** Plays one recording: everyone together, or a single track. */
export class Player {
  #library;
  #recording;
  #stage = h('div', { className: 'stage' });
  #problem = h('p', { className: 'problem', role: 'alert' });
  /** @type {HTMLVideoElement | null} */
  #leader = null;
  /** @type {Ensemble | null} */
  #ensemble = null;
  element;

  /**
   * @param {Library} library
   * @param {Recording} recording is over
   */
  constructor(library, recording) {
    this.#library = library;
    this.#recording = recording;
    const choices = choicesOf(recording);
    const choice = picker(recorded.what, choices, EVERYONE, (value) => this.#play(value));
    this.element = h('div', { className: 'player' }, choices.length > 1 && choice.label, this.#stage, this.#problem);
    const first = choices[0];
    if (first) this.#play(first[0]);
  }

  close() {
    this.#ensemble?.close();
    if (this.#leader) silence(this.#leader);
  }

  /** @param {string} choice everyone, or the name of a file */
  #play(choice) {
    this.close();
    this.#problem.textContent = '';
    const { files, roomFile } = this.#recording;
    const isEveryone = choice === EVERYONE;
    const alone = isEveryone ? longest(files) : files.find(({ name }) => name === choice);
    const name = isEveryone && roomFile ? roomFile.name : alone?.name;
    if (!name) return;
    const leaderAtMs = isEveryone && roomFile ? 0 : (alone?.atMs ?? 0);
    const hasPicture = files.some((file) => isPicture(file) && (isEveryone || file === alone));
    const leader = h('video', { controls: true, playsInline: true, preload: 'metadata', src: this.#library.address(this.#recording, name) });
    leader.setAttribute('aria-label', recorded.player(this.#recording.room));
    leader.classList.toggle('sound-only', !hasPicture);
    if (leaderAtMs === 0) leader.append(this.#subtitles());
    leader.onerror = () => (this.#problem.textContent = recorded.unplayable);
    this.#leader = leader;
    this.#ensemble = isEveryone ? new Ensemble(leader, leaderAtMs, this.#others(roomFile ? leadersOf(files) : alone ? [alone] : [])) : null;
    const shown = isEveryone && (roomFile ? files.find(isPicture) : alone);
    const beside = this.#ensemble ? [h('p', { className: 'quiet small name' }, (shown && shown.member) || ''), this.#ensemble.element] : [];
    this.#stage.replaceChildren(leader, ...beside);
  }

  #subtitles() {
    return h('track', { kind: 'captions', label: recorded.whoSpeaks, srclang: document.documentElement.lang, src: this.#library.address(this.#recording, SUBTITLES), default: true });
  }

  /**
   * @param {TrackFile[]} leaders what the large element plays itself
   * @returns {Part[]}
   */
  #others(leaders) {
    const others = this.#recording.files.filter((file) => !leaders.includes(file) && file.durationMs > 0);
    const pictures = others.filter(isPicture);
    // Rolling files of one track follow each other: they take one place.
    const shown = [...new Set(pictures.map(trackOf))].slice(0, SIDE_PICTURES_MAX);
    const seen = pictures.filter((file) => shown.includes(trackOf(file)));
    const part = (/** @type {TrackFile} */ { name, atMs, durationMs }) => ({ url: this.#library.address(this.#recording, name), atMs, durationMs });
    return [...seen.map((file) => ({ ...part(file), title: file.member })), ...others.filter((file) => !isPicture(file)).map(part)];
  }
}

/**
 * What a browser plays of a file of all tracks: the first picture and the first sound.
 *
 * @param {TrackFile[]} files in their order
 */
function leadersOf(files) {
  return [files.find(isPicture), files.find((file) => !isPicture(file))].filter((file) => file !== undefined);
}

/** @param {TrackFile[]} files */
function longest(files) {
  const weight = (/** @type {TrackFile} */ file) => file.durationMs + (isPicture(file) ? 0.5 : 0);
  return files.reduce((/** @type {TrackFile | undefined} */ best, file) => (!best || weight(file) > weight(best) ? file : best), undefined);
}

/** @param {TrackFile} file */
function isPicture({ source }) {
  return source === 'camera' || source === 'screen';
}

/** @param {TrackFile} file `track-2-camera-1.webm` is the first of track 2 */
function trackOf({ name }) {
  return name.split('-')[1];
}

/**
 * @param {Recording} recording
 * @returns {[value: string, text: string][]}
 */
function choicesOf({ files, roomFile }) {
  /** @type {[string, string][]} */
  const single = files.map((file) => [file.name, titleOf(file, files)]);
  return files.length > 1 || roomFile ? [[EVERYONE, recorded.everyone], ...single] : single;
}

/**
 * @param {TrackFile} file
 * @param {TrackFile[]} all
 */
export function titleOf(file, all) {
  const title = `${file.member}, ${recorded.sources[file.source]}`;
  const same = all.filter((other) => `${other.member}, ${recorded.sources[other.source]}` === title);
  return same.length > 1 ? `${title} (${same.indexOf(file) + 1})` : title;
}
