import { plays, sends, sendsPicture, sendsSound } from './feeds.js';

/**
 * @import { Incoming } from './mesh.js'
 * @import { Feed, Member, MemberId, Mode, PathException, Topology, Why } from './protocol'
 */

const INTERVAL_MS = 150;
/** Sound that is not sent (a device that gives none) must not hold up a switch. */
const SOUND_PATIENCE_MS = 2_500;
/** What decodes is on the screen a little later; until then it is not said to be ready. */
const SETTLE_MS = 250;
/** The old path goes on for so long after the switch: others may still be showing it. */
const FADE_MS = 600;
/** An old path that is no longer asked for waits so long at most for the new one to play. */
const LINGER_MS = 10_000;

/** @type {readonly Feed[]} */
const FEEDS = ['camera', 'screen'];

/**
 * Which paths there are, and the change from one to the other: the new path is built while the old
 * one plays, and reported ready when everything that should arrive on it does. Members whose media
 * cannot travel as the room's does are exceptions.
 */
export class Switch {
  #do;
  #timer = 0;
  #upSince = 0;
  #playsSince = 0;
  #reported = -1;
  #fadeTimer = 0;
  /** @type {Mode | null} the path that was left a moment ago */
  #fading = null;
  /** @type {Mode | null} the path that plays; a newcomer during a switch has none yet */
  holding = null;
  /** @type {Mode | null} the path that is being built */
  target = null;
  epoch = 0;
  /** @type {Why} of the target, or of what holds */
  why = { cause: 'few' };
  /** @type {Why} */
  #heldWhy = this.why;
  /** @type {Map<MemberId, PathException>} */
  exceptions = new Map();
  #exceptionsSince = 0;
  /** The epoch in which the mesh began that is in use. */
  #meshSince = 0;

  /**
   * @param {object} actions
   * @param {() => Member[]} actions.expected the other members
   * @param {(mode: Mode, member: Member, feed: Feed) => Incoming | null} actions.incoming
   * @param {(mode: Mode) => Promise<void>} actions.sample takes fresh statistics
   * @param {() => number} actions.seats how many there are
   * @param {(mode: Mode, member: Member) => boolean} actions.isUp whether the connection for a member is
   * @param {(member: Member) => boolean} actions.hasFailed whether the mesh connection to a member did
   * @param {(epoch: number) => unknown} actions.ready
   * @param {() => void} actions.changed
   * @param {() => void} actions.faded the old path is of no more use
   */
  constructor(actions) {
    this.#do = actions;
  }

  /**
   * @param {Topology} topology as a newcomer finds it
   * @param {PathException[]} exceptions
   */
  enter({ mode, epoch, switching, why }, exceptions) {
    this.#meshSince = epoch;
    this.holding = switching ? null : mode;
    this.why = this.#heldWhy = why;
    this.except(exceptions);
    this.#exceptionsSince = 0;
    this.#aim(switching ? mode : null, epoch);
  }

  /** @param {{mode: Mode, epoch: number, why: Why}} begun */
  begin({ mode, epoch, why }) {
    if (epoch < this.epoch) return;
    if (!this.uses(mode)) this.#meshSince = epoch;
    this.why = why;
    this.#aim(mode, epoch);
  }

  /** @param {{mode: Mode, epoch: number, why?: Why}} settled a commit, or without a reason a rollback */
  settle({ mode, epoch, why }) {
    if (epoch < this.epoch) return;
    this.#fade([this.holding, this.target].find((other) => other && other !== mode) ?? null);
    this.holding = mode;
    this.why = this.#heldWhy = why ?? this.#heldWhy;
    this.#aim(null, epoch);
  }

  /** @param {PathException[]} exceptions */
  except(exceptions) {
    this.exceptions = new Map(exceptions.map((exception) => [exception.member, exception]));
    this.#exceptionsSince = performance.now();
  }

  /** The WebSocket came back: what we said last may not have arrived. */
  resume() {
    this.#reported = -1;
  }

  stop() {
    window.clearInterval(this.#timer);
    window.clearTimeout(this.#fadeTimer);
    this.#fading = null;
  }

  /** @param {Mode} mode whether the path is in use for the room, old or new */
  uses(mode) {
    return this.holding === mode || this.target === mode || this.#fading === mode;
  }

  /** Whether anybody's media goes over the node. */
  get usesNode() {
    return this.uses('sfu') || [...this.exceptions.values()].some(({ path }) => path === 'node');
  }

  /** @param {Member} member whether there is to be a direct connection with them */
  usesPair(member) {
    if (this.uses('mesh')) return true;
    const exception = this.exceptions.get(member.id);
    if (exception) return exception.path === 'direct' || exception.reason === 'nothing';
    return this.#lingers() && this.#flows('mesh', member) && !this.#flows('sfu', member);
  }

  /** @param {number} epoch whether a step of negotiation belongs to what is in use */
  isOfMesh(epoch) {
    return epoch >= this.#meshSince;
  }

  /** @param {Mode} mode whether what is missing on the path is to be made */
  builds(mode) {
    return (this.target ?? this.holding) === mode;
  }

  /**
   * The best there is of a feed: the path that should carry it once it plays, else another one.
   *
   * @param {Member} member
   * @param {Feed} feed
   * @returns {Incoming | null}
   */
  pick(member, feed) {
    const coming = this.#order(member, feed).flatMap((mode) => this.#do.incoming(mode, member, feed) ?? []);
    const playing = coming.find((incoming, index) => {
      if (index === coming.length - 1) return true;
      const sounds = !sendsSound(member, feed) || (incoming.audioStats?.packets ?? 0) > 0;
      return sounds && plays(member, feed, incoming);
    });
    return playing ?? null;
  }

  /**
   * @param {Member} member
   * @param {Feed} feed
   * @returns {Mode[]} the wanted path first
   */
  #order(member, feed) {
    const exception = this.exceptions.get(member.id);
    if (!exception) {
      const wanted = this.target ?? this.holding;
      const others = /** @type {Mode[]} */ (['mesh', 'sfu']).filter((mode) => mode !== wanted);
      return wanted ? [wanted, ...others] : others;
    }
    // What was given up may have come back.
    const direct = this.#do.incoming('mesh', member, feed);
    return exception.path !== 'node' || (direct && flows(direct)) ? ['mesh', 'sfu'] : ['sfu', 'mesh'];
  }

  /** @param {Mode | null} mode */
  #fade(mode) {
    window.clearTimeout(this.#fadeTimer);
    this.#fading = mode;
    this.#fadeTimer = window.setTimeout(() => {
      this.#fading = null;
      this.#do.faded();
    }, FADE_MS);
  }

  #lingers() {
    return performance.now() - this.#exceptionsSince < LINGER_MS;
  }

  /**
   * @param {Mode} mode
   * @param {Member} member
   */
  #flows(mode, member) {
    const incoming = this.#do.incoming(mode, member, 'camera');
    return Boolean(incoming && flows(incoming));
  }

  /**
   * @param {Mode | null} target
   * @param {number} epoch
   */
  #aim(target, epoch) {
    window.clearInterval(this.#timer);
    this.target = target;
    this.epoch = epoch;
    this.#upSince = this.#playsSince = 0;
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
    if (!this.#isReady(mode)) this.#playsSince = 0;
    else this.#playsSince ||= performance.now();
    const settled = this.#playsSince > 0 && performance.now() - this.#playsSince >= SETTLE_MS;
    if (this.#reported === epoch || !settled) return;
    this.#reported = epoch;
    this.#do.ready(epoch);
  }

  /** @param {Mode} mode */
  #isReady(mode) {
    const members = this.#do.expected().filter((member) => !this.#isExcused(mode, member));
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

  /**
   * Whether a member's media will not come on the new path, and that is known.
   *
   * @param {Mode} mode
   * @param {Member} member
   */
  #isExcused(mode, member) {
    if (member.presence === 'reconnecting') return true;
    const path = this.exceptions.get(member.id)?.path;
    return mode === 'mesh' ? this.#do.hasFailed(member) : path === 'direct' || path === 'none';
  }
}

/**
 * Whether media came within the last sample.
 *
 * @param {Incoming} incoming
 */
function flows({ audioStats, videoStats }) {
  return (videoStats?.bitrate ?? 0) > 0 || (audioStats?.bitrate ?? 0) > 0;
}
