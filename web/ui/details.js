import { strings } from '../strings.js';
import { causeOf } from './status.js';

/**
 * @import { Incoming } from '../mesh.js'
 * @import { Room } from '../motet.js'
 * @import { Member } from '../protocol'
 * @import { Connection, Inbound, Outbound, Meter } from '../stats.js'
 *
 * @typedef {[string, string]} Figure what, and how much
 */

/**
 * How media of a member comes in, or how one's own goes out.
 *
 * @param {Room} room
 * @param {Member} member
 * @returns {Figure[]}
 */
export function detailsOf(room, member) {
  if (member.id === room.you) return [...ownFigures(room), ...reachOf(member)];
  const camera = room.incoming(member, 'camera');
  const screen = room.incoming(member, 'screen');
  const any = camera ?? screen;
  if (!any) return [[strings.path, strings.noStatistics], ...reachOf(member)];
  return [
    ...pathOf(room, member, any),
    ...connectionOf(any.connection),
    ...soundOf(camera?.audioStats ?? null, strings.soundIn),
    ...pictureOf(camera?.videoStats ?? null, strings.pictureIn),
    ...pictureOf(screen?.videoStats ?? null, strings.screenIn),
    ...reachOf(member),
  ];
}

/**
 * @param {Room} room
 * @param {Member} member
 * @param {Incoming} incoming
 * @returns {Figure[]}
 */
function pathOf(room, member, { path }) {
  const { why, exceptions } = room;
  const exception = exceptions.find((one) => one.member === member.id);
  const isPairOnly = path === 'node' && room.mode === 'mesh' && !room.isSwitching;
  const way = path === 'mesh' ? strings.pathDirect : isPairOnly ? strings.pathPairNode : strings.pathNode;
  const nameOf = (/** @type {string} */ id) => room.members.get(id)?.name ?? '';
  const cause = exception ? strings.pathReasons[exception.reason] : why && causeOf(why, nameOf);
  return [[strings.path, way], ...(cause ? [/** @type {Figure} */ ([strings.why, cause])] : [])];
}

/**
 * @param {Connection} connection
 * @returns {Figure[]}
 */
function connectionOf({ local, remote, protocol, relayProtocol, rttMs, state }) {
  const ours = relayProtocol ? strings.relayedOver(relayProtocol.toUpperCase()) : strings.candidate(local);
  const ends = [...new Set([ours, strings.candidate(remote)].filter(Boolean))].join(' / ');
  const route = [ends, relayProtocol ? '' : protocol.toUpperCase()].filter(Boolean).join(' · ');
  if (!route) return [[strings.route, state]];
  return [
    [strings.route, route],
    [strings.roundTrip, strings.milliseconds(rttMs)],
  ];
}

/**
 * @param {Inbound | null} stats
 * @param {string} label
 * @returns {Figure[]}
 */
function soundOf(stats, label) {
  if (!stats) return [];
  return [[label, [stats.codec, strings.bitrate(stats.bitrate)].filter(Boolean).join(' · ')], ...lossOf(stats)];
}

/**
 * @param {Inbound | null} stats
 * @param {string} label
 * @returns {Figure[]}
 */
function pictureOf(stats, label) {
  if (!stats || stats.width === 0) return [];
  const { width, height, fps, codec, bitrate, freezeCount, freezeSeconds } = stats;
  /** @type {Figure[]} */
  const freezes = freezeCount > 0 ? [[strings.freezes, strings.freezesValue(freezeCount, freezeSeconds)]] : [];
  return [[label, [strings.picture(width, height, fps), codec, strings.bitrate(bitrate)].filter(Boolean).join(' · ')], ...lossOf(stats), ...freezes];
}

/**
 * @param {Inbound} stats
 * @returns {Figure[]}
 */
function lossOf({ lossPercent, jitterMs }) {
  return [[`${strings.lost} / ${strings.jitter}`, `${lossPercent.toFixed(1)} % / ${strings.milliseconds(jitterMs)}`]];
}

/**
 * @param {Member} member
 * @returns {Figure[]}
 */
function reachOf({ node }) {
  return node && node !== 'unknown' ? [[strings.reach, strings.reaches[node] ?? node]] : [];
}

/**
 * What is sent, per connection and layer: to everyone in a mesh, or to the node.
 *
 * @param {Room} room
 * @returns {Figure[]}
 */
function ownFigures(room) {
  const pairs = (room.mesh?.pairs() ?? []).map(([id, { meter }]) => ({ to: room.members.get(id)?.name ?? '', meter }));
  const meters = [...pairs, ...(room.node ? [{ to: '', meter: room.node.meter }] : [])];
  const layers = meters.flatMap(({ meter }) => layersOf(meter));
  const total = layers.reduce((sum, { bitrate }) => sum + bitrate, 0);
  if (total === 0) return [[strings.sentTotal, strings.nothingSent]];
  const limits = [...new Set(layers.filter(({ kind, bitrate }) => kind === 'video' && bitrate > 0).map(({ limited }) => limited))];
  const limit = limits.find((limited) => limited !== 'none') ?? limits[0];
  return [
    [strings.sentTotal, strings.bitrate(total)],
    ...meters.flatMap(({ to, meter }) => sentFigures(to, meter)),
    ...(limit ? [/** @type {Figure} */ ([strings.limited, strings.limits[limit] ?? limit])] : []),
  ];
}

/**
 * @param {string} to whom, in a mesh; empty for the node
 * @param {Meter} meter
 * @returns {Figure[]}
 */
function sentFigures(to, meter) {
  const layers = layersOf(meter);
  const { connection } = meter.latest;
  if (!layers.some(({ bitrate }) => bitrate > 0)) return [];
  /** @type {Figure[]} */
  const figures = to ? [] : connectionOf(connection);
  if (connection.availableBitrate > 0 && !to) figures.push([strings.available, strings.bitrate(connection.availableBitrate)]);
  for (const layer of layers) {
    if (layer.kind !== 'video' || layer.height === 0 || layer.bitrate === 0) continue;
    const label = to ? strings.toName(to) : layer.rid ? strings.layer(layer.rid) : strings.pictureIn;
    figures.push([label, layerText(layer)]);
  }
  return figures;
}

/**
 * @param {Outbound} layer
 */
function layerText({ width, height, fps, codec, bitrate }) {
  return [strings.picture(width, height, fps), codec, strings.bitrate(bitrate)].filter(Boolean).join(' · ');
}

/**
 * @param {Meter} meter
 * @returns {Outbound[]}
 */
function layersOf(meter) {
  return [...meter.latest.outbound.values()].flat();
}
