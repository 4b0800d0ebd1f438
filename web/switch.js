/**
 * @import { Incoming } from './mesh.js'
 * @import { Feed, Member, Mode, Source, Topology } from './protocol'
 */

const INTERVAL_MS = 200;
/** Sound that is not sent (a device that gives none) must not hold up a switch. */
const SOUND_PATIENCE_MS = 2_500;

/** @type {readonly Feed[]} */
const FEEDS = ['camera', 'screen'];

/**
 * Which paths there are, and the change from one to the other: the new path is built while the old
 * one plays, and reported ready when everything that should arrive on it does.
 */
export class Switch {
  #do;
  #timer = 0;
  #upSince = 0;
  #reported = -1;
  /** @type {Mode | null} the path that plays; a newcomer during a switch has none yet */
  holding = null;
  /** @type {Mode | null} the path that is being built */
  target = null;
  epoch = 0;
  /** The epoch in which the mesh began that is in use. */
  #meshSince = 0;

  /**
   * @param {object} actions
   * @param {() => Member[]} actions.expected the other members
   * @param {(mode: Mode, member: Member, feed: Feed) => Incoming | null} actions.incoming
   * @param {(mode: Mode) => Promise<void>} actions.sample takes fresh statistics
   * @param {() => number} actions.seats how many there are
   * @param {(mode: Mode, member: Member) => boolean} actions.isUp whether the connection for a member is
   * @param {(epoch: number) => unknown} actions.ready
   * @param {() => void} actions.changed
   */
  constructor(actions) {
    this.#do = actions;
  }

  /** @param {Topology} topology as a newcomer finds it */
  enter({ mode, epoch, switching }) {
    this.#meshSince = epoch;
    this.holding = switching ? null : mode;
    this.#aim(switching ? mode : null, epoch);
  }

  /** @param {{mode: Mode, epoch: number}} begun */
  begin({ mode, epoch }) {
    if (epoch < this.epoch) return;
    if (!this.uses(mode)) this.#meshSince = epoch;
    this.#aim(mode, epoch);
  }

  /** @param {{mode: Mode, epoch: number}} settled a commit or a rollback */
  settle({ mode, epoch }) {
    if (epoch < this.epoch) return;
    this.holding = mode;
    this.#aim(null, epoch);
  }

  stop() {
    window.clearInterval(this.#timer);
  }

  /** @param {Mode} mode whether the path is in use, old or new */
  uses(mode) {
    return this.holding === mode || this.target === mode;
  }

  /** @param {number} epoch whether a step of negotiation belongs to the mesh that is in use */
  isOfMesh(epoch) {
    return this.uses('mesh') && epoch >= this.#meshSince;
  }

  /** @param {Mode} mode whether what is missing on the path is to be made */
  builds(mode) {
    return (this.target ?? this.holding) === mode;
  }

  /**
   * @param {Member} member
   * @param {Feed} feed
   */
  pick(member, feed) {
    const next = this.target && this.#do.incoming(this.target, member, feed);
    const now = this.holding && this.#do.incoming(this.holding, member, feed);
    if (!next || !now) return next || now;
    const sounds = !sendsSound(member, feed) || (next.audioStats?.packets ?? 0) > 0;
    return sounds && plays(member, feed, next) ? next : now;
  }

  /**
   * @param {Mode | null} target
   * @param {number} epoch
   */
  #aim(target, epoch) {
    this.stop();
    this.target = target;
    this.epoch = epoch;
    this.#upSince = 0;
    if (target) this.#timer = window.setInterval(() => this.#check(target, epoch), INTERVAL_MS);
  }

  /**
   * @param {Mode} mode
   * @param {number} epoch
   */
  async #check(mode, epoch) {
    await this.#do.sample(mode);
    if (this.target !== mode || this.epoch !== epoch) return;
    this.#do.changed();
    if (this.#reported === epoch || !this.#isReady(mode)) return;
    this.#reported = epoch;
    this.#do.ready(epoch);
  }

  /** @param {Mode} mode */
  #isReady(mode) {
    const members = this.#do.expected();
    if (!members.every((member) => this.#do.isUp(mode, member))) return false;
    this.#upSince ||= performance.now();
    const feeds = members.flatMap((member) => FEEDS.flatMap((feed) => (sends(member, feed) ? [{ member, feed }] : [])));
    const arriving = feeds.map(({ member, feed }) => ({ member, feed, incoming: this.#do.incoming(mode, member, feed) }));
    const missing = arriving.filter(({ incoming }) => !incoming);
    // Whoever finds no seat because all are taken is not waited for.
    if (missing.length > 0 && (mode === 'mesh' || feeds.length <= this.#do.seats())) return false;
    const patient = performance.now() - this.#upSince < SOUND_PATIENCE_MS;
    return arriving.every(
      ({ member, feed, incoming }) => !incoming || plays(member, feed, incoming) || (!patient && !sendsPicture(member, feed)),
    );
  }
}

/**
 * @param {Member} member
 * @param {Source} source
 */
function isLive(member, source) {
  return member.published.some((published) => published.source === source && !published.muted);
}

/**
 * @param {Member} member
 * @param {Feed} feed
 */
function sendsPicture(member, feed) {
  return isLive(member, feed);
}

/**
 * @param {Member} member
 * @param {Feed} feed
 */
function sendsSound(member, feed) {
  return isLive(member, feed === 'camera' ? 'microphone' : 'screenAudio');
}

/**
 * @param {Member} member
 * @param {Feed} feed
 */
function sends(member, feed) {
  return sendsPicture(member, feed) || sendsSound(member, feed);
}

/**
 * Whether everything that should arrive of a feed does.
 *
 * @param {Member} member
 * @param {Feed} feed
 * @param {Incoming} incoming
 */
function plays(member, feed, { audioStats, videoStats }) {
  if (sendsPicture(member, feed)) return (videoStats?.framesDecoded ?? 0) > 0;
  return !sendsSound(member, feed) || (audioStats?.packets ?? 0) > 0;
}
