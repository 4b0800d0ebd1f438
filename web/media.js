import { Emitter } from './events.js';

/**
 * @import { Source } from './protocol'
 *
 * @typedef {{width: number, height: number, frameRate: number}} Picture
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
  /** @type {Picture} */
  picture;
  /** @type {{camera?: string, microphone?: string}} */
  #devices = {};
  /** @type {readonly Source[]} */
  #held = [];

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
    this.#devices[source] = deviceId;
    const old = this.track(source);
    if (!old) return;
    const audio = source === 'microphone';
    const stream = await this.#capture(audio ? { audio: this.#audio() } : { video: this.#video() });
    const track = stream.getTracks()[0];
    const enabled = old.enabled;
    stop(old);
    this.#keep(source, track);
    if (audio && !enabled) await this.setMicrophone(false);
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
    for (const { track } of this.#own.values()) if (track) stop(track);
    this.#own.clear();
    this.emit('change', undefined);
  }

  /** @param {MediaStreamConstraints} constraints */
  #capture(constraints) {
    // Absent on plain http, except from localhost.
    if (!navigator.mediaDevices) throw new DOMException('insecure', 'SecurityError');
    return navigator.mediaDevices.getUserMedia(constraints);
  }

  #audio() {
    const device = this.#devices.microphone;
    return {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
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
    track.onended = () => (source === 'screen' ? this.stopScreen() : this.#drop(source));
    this.#own.set(source, { track, muted: false });
    this.emit('change', undefined);
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
