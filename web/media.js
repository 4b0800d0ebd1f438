import { Emitter } from './events.js';

/**
 * @import { Source } from './protocol'
 *
 * @typedef {{width: number, height: number, frameRate: number}} Picture
 *
 * @typedef {{echoCancellation: boolean, noiseSuppression: boolean, autoGainControl: boolean}} Processing
 *   what the browser does to the voice before it is sent
 *
 * @typedef {object} LocalMediaEvents
 * @property {void} change a track came or went, or was muted
 *
 * @typedef {object} Own what is sent under one source
 * @property {MediaStreamTrack | null} track
 * @property {boolean} muted
 */

/** @type {readonly Source[]} */
export const SOURCES = ['microphone', 'camera', 'screenAudio', 'screen'];

/**
 * The own devices. A source is published once it was had, and muted while it has no live track or
 * its microphone is silent; turning a camera off stops the device, so its light goes out.
 *
 * @extends {Emitter<LocalMediaEvents>}
 */
export class LocalMedia extends Emitter {
  #faces = new MediaStream();
  #screens = new MediaStream();
  /** @type {Map<Source, Own>} */
  #own = new Map();
  #isClosed = false;
  /** @type {Picture} */
  picture;
  /** @type {{camera?: string, microphone?: string}} */
  #devices = {};
  /** @type {readonly Source[]} */
  #held = [];
  /** @type {Processing} */
  #processing = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

  /** @param {Picture} [picture] what to ask of a camera */
  constructor(picture = { width: 1280, height: 720, frameRate: 30 }) {
    super();
    this.picture = picture;
  }

  /**
   * The stream that carries a source: microphone and camera share one, so that they stay in sync,
   * and so do the screen and its sound.
   *
   * @param {Source} source
   */
  stream(source) {
    return source === 'screen' || source === 'screenAudio' ? this.#screens : this.#faces;
  }

  /** @param {Source} source */
  track(source) {
    return this.#own.get(source)?.track ?? null;
  }

  /** @param {Source} source whether it is sent, and not muted */
  isOn(source) {
    const own = this.#own.get(source);
    return Boolean(own?.track && !own.muted);
  }

  /** @param {Source} source whether somebody else keeps it muted */
  isHeld(source) {
    return this.#held.includes(source);
  }

  /**
   * Mutes these, and keeps them muted until they are no longer among those held.
   *
   * @param {readonly Source[]} sources
   */
  hold(sources) {
    this.#held = sources;
    if (this.isHeld('microphone') && this.isOn('microphone')) this.setMicrophone(false);
    if (this.isHeld('camera') && this.isOn('camera')) this.setCamera(false);
    if (this.isHeld('screen') && this.isOn('screen')) this.stopScreen();
  }

  /** @returns {{source: Source, stream: string, muted: boolean}[]} what others should know of */
  published() {
    return SOURCES.flatMap((source) => {
      const own = this.#own.get(source);
      return own ? [{ source, stream: this.stream(source).id, muted: own.muted }] : [];
    });
  }

  /** Height in pixels of the camera's picture, now or as it would be asked for. */
  get cameraHeight() {
    return this.track('camera')?.getSettings().height ?? this.picture.height;
  }

  /**
   * Opens microphone and camera, whichever are wanted and can be had.
   *
   * @param {{microphone: boolean, camera: boolean}} wanted
   * @returns {Promise<{microphone: unknown, camera: unknown}>} why one that was wanted is missing
   */
  async open({ microphone, camera }) {
    try {
      if (microphone && camera) {
        const both = await this.#capture({ audio: this.#audio(), video: this.#video() });
        this.#keep('microphone', both.getAudioTracks()[0]);
        this.#keep('camera', both.getVideoTracks()[0]);
        return { microphone: null, camera: null };
      }
    } catch {
      // One of the two may still be had alone.
    }
    return {
      microphone: microphone ? await reasonOf(this.setMicrophone(true)) : null,
      camera: camera ? await reasonOf(this.setCamera(true)) : null,
    };
  }

  /** @param {boolean} on */
  async setMicrophone(on) {
    if (on && this.isHeld('microphone')) return;
    const own = this.#own.get('microphone');
    if (own?.track) {
      own.track.enabled = on;
      own.muted = !on;
      this.emit('change', undefined);
    } else if (on) {
      const stream = await this.#capture({ audio: this.#audio() });
      this.#keep('microphone', stream.getAudioTracks()[0]);
    }
  }

  /** @param {boolean} on */
  async setCamera(on) {
    if (on && this.isHeld('camera')) return;
    if (!on) this.#drop('camera');
    else if (!this.track('camera')) {
      const stream = await this.#capture({ video: this.#video() });
      this.#keep('camera', stream.getVideoTracks()[0]);
    }
  }

  /**
   * Changes the device of a source that is on, or the one it will use.
   *
   * @param {'microphone' | 'camera'} source
   * @param {string} deviceId
   */
  async useDevice(source, deviceId) {
    this.preferDevice(source, deviceId);
    if (this.track(source)) await this.#captureAgain(source);
  }

  /**
   * The device that a source will use when it is opened next; empty: the browser's choice.
   *
   * @param {'microphone' | 'camera'} source
   * @param {string} deviceId
   */
  preferDevice(source, deviceId) {
    this.#devices[source] = deviceId;
  }

  /**
   * What the browser does to the voice, from now on.
   *
   * @param {Partial<Processing>} processing
   */
  async process(processing) {
    this.#processing = { ...this.#processing, ...processing };
    // Browsers differ in what they change while a microphone is open: all of them take it anew.
    if (this.track('microphone')) await this.#captureAgain('microphone');
  }

  /** Asks for a screen, a window or a tab, and sends it with its sound if there is any. */
  async shareScreen() {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: { frameRate: { max: 15 } },
      audio: true,
    });
    const [picture] = stream.getVideoTracks();
    if (picture) picture.contentHint = 'detail';
    this.#keep('screen', picture);
    this.#keep('screenAudio', stream.getAudioTracks()[0]);
  }

  stopScreen() {
    for (const source of /** @type {const} */ (['screen', 'screenAudio'])) {
      const own = this.#own.get(source);
      if (own?.track) stop(own.track);
      this.#own.delete(source);
    }
    this.emit('change', undefined);
  }

  /** Ends everything that is captured. */
  close() {
    this.#isClosed = true;
    for (const { track } of this.#own.values()) if (track) stop(track);
    this.#own.clear();
    this.emit('change', undefined);
  }

  /**
   * The device that a source has goes first: phones open one camera at a time, and a microphone that
   * is open twice keeps how it was opened first.
   *
   * @param {'microphone' | 'camera'} source
   */
  async #captureAgain(source) {
    const old = this.track(source);
    const isOn = this.isOn(source);
    if (old) stop(old);
    try {
      const stream = await this.#capture(source === 'microphone' ? { audio: this.#audio() } : { video: this.#video() });
      this.#keep(source, stream.getTracks()[0]);
      if (source === 'microphone' && !isOn) await this.setMicrophone(false);
    } catch (error) {
      this.#drop(source);
      throw error;
    }
  }

  /** @param {MediaStreamConstraints} constraints */
  async #capture(constraints) {
    // Absent on plain http, except from localhost.
    if (!navigator.mediaDevices) throw new DOMException('insecure', 'SecurityError');
    try {
      return await navigator.mediaDevices.getUserMedia(constraints);
    } catch (error) {
      // The device that was chosen once is gone: any other is better than none.
      if (/** @type {Error} */ (error).name !== 'OverconstrainedError') throw error;
      return navigator.mediaDevices.getUserMedia(anyDevice(constraints));
    }
  }

  #audio() {
    const device = this.#devices.microphone;
    return {
      ...this.#processing,
      ...(device ? { deviceId: { exact: device } } : {}),
    };
  }

  #video() {
    const { width, height, frameRate } = this.picture;
    const device = this.#devices.camera;
    return {
      width: { ideal: width },
      height: { ideal: height },
      frameRate: { ideal: frameRate, max: frameRate },
      ...(device ? { deviceId: { exact: device } } : {}),
    };
  }

  /**
   * @param {Source} source
   * @param {MediaStreamTrack | undefined} track
   */
  #keep(source, track) {
    if (!track) return;
    // Who closed the page's media while the browser still asked does not want it any more.
    if (this.#isClosed) return stop(track);
    const before = this.track(source);
    if (before && before !== track) stop(before);
    track.onended = () => (source === 'screen' ? this.stopScreen() : this.#drop(source));
    this.#own.set(source, { track, muted: false });
    this.emit('change', undefined);
    // It may have been silenced while the browser asked.
    this.hold(this.#held);
  }

  /** @param {Source} source */
  #drop(source) {
    const own = this.#own.get(source);
    if (!own) return;
    if (own.track) stop(own.track);
    this.#own.set(source, { track: null, muted: true });
    this.emit('change', undefined);
  }
}

/**
 * @param {MediaStreamConstraints} constraints
 * @returns {MediaStreamConstraints} the same without a particular device
 */
function anyDevice(constraints) {
  const without = (/** @type {boolean | MediaTrackConstraints | undefined} */ kind) =>
    typeof kind === 'object' ? { ...kind, deviceId: undefined } : kind;
  return { audio: without(constraints.audio), video: without(constraints.video) };
}

/** @param {MediaStreamTrack} track */
function stop(track) {
  track.onended = null;
  track.stop();
}

/** @param {Promise<void>} attempt */
async function reasonOf(attempt) {
  try {
    await attempt;
    return null;
  } catch (error) {
    return error;
  }
}
