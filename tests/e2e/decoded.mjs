// What is to be seen and heard in a file, by ffmpeg.

import { execFileSync, spawnSync } from 'node:child_process';

const RATE = 48_000;
/** How finely a sound's beginning is found. */
const STEP = RATE / 500;
const WINDOW = RATE / 200;

/** Why files cannot be looked into here, or false. */
export function isMissing() {
  try {
    execFileSync('ffmpeg', ['-version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'needs the command ffmpeg';
  }
}

/**
 * When the middle of the picture turns from dark to bright.
 *
 * @param {string} path
 * @returns {number[]} seconds
 */
export function flashes(path) {
  const middle = 'crop=iw/4:ih/4:iw*3/8:ih*3/8,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-';
  const text = String(ffmpeg('-copyts', '-i', path, '-map', '0:v:0', '-fps_mode', 'passthrough', '-vf', middle, '-f', 'null', '-'));
  const frames = [...text.matchAll(/pts_time:([\d.]+)\s+lavfi\.signalstats\.YAVG=([\d.]+)/g)];
  return beginnings(frames.map(([, at, brightness]) => [Number(at), Number(brightness) > 128]));
}

/**
 * When a tone begins.
 *
 * @param {string} path
 * @param {number} frequency in Hz
 * @returns {number[]} seconds
 */
export function beeps(path, frequency) {
  const sound = samples(path);
  const heard = [];
  for (let at = 0; at + WINDOW <= sound.length; at += STEP) heard.push([at / RATE, strength(sound, at, WINDOW, frequency) > 0.1]);
  return beginnings(heard);
}

/**
 * How loud a tone is while it is heard, from 0 to 1.
 *
 * @param {string} path
 * @param {number} frequency in Hz
 */
export function loudness(path, frequency) {
  const sound = samples(path);
  const strengths = [];
  for (let at = 0; at + RATE / 20 <= sound.length; at += RATE / 20) strengths.push(strength(sound, at, RATE / 20, frequency));
  return strengths.sort((one, other) => other - one)[Math.floor(strengths.length / 20)];
}

/**
 * A frame from the middle, of two by one points: red, green and blue from 0 to 255, of the left edge and of the right one.
 *
 * @param {string} path
 * @param {number} at seconds
 */
export function edges(path, at) {
  const point = (left) =>
    [...ffmpeg('-ss', String(at), '-i', path, '-map', '0:v:0', '-frames:v', '1', '-vf', `crop=iw/8:ih:${left}:0,scale=1:1:flags=area`, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-')];
  return [point('0'), point('iw*7/8')];
}

/**
 * What a decoder that is told to stop at any error finds wrong with a file; nothing, if it is right to its end.
 *
 * @param {string} path
 */
export function complaints(path) {
  return String(spawnSync('ffmpeg', ['-v', 'error', '-xerror', '-i', path, '-f', 'null', '-']).stderr);
}

/** @param {number[]} numbers */
export function median(numbers) {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)];
}

/** The file's first sound, with silence where there is none, from time 0 on. */
function samples(path) {
  const bytes = ffmpeg('-i', path, '-map', '0:a:0', '-af', 'aresample=async=1:min_hard_comp=0.01:first_pts=0', '-ac', '1', '-ar', String(RATE), '-f', 'f32le', '-');
  return new Float32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
}

/** The amplitude of one frequency in a piece of sound (Goertzel). */
function strength(sound, from, length, frequency) {
  const turn = 2 * Math.cos((2 * Math.PI * frequency) / RATE);
  let [one, two] = [0, 0];
  for (let at = from; at < from + length; at += 1) [one, two] = [sound[at] + turn * one - two, one];
  return (2 * Math.sqrt(Math.max(0, one * one + two * two - turn * one * two))) / length;
}

/** Those times at which something is and before which it was not. */
function beginnings(states) {
  return states.filter(([, is], index) => is && index > 0 && !states[index - 1][1]).map(([at]) => at);
}

function ffmpeg(...args) {
  return execFileSync('ffmpeg', ['-v', 'error', ...args], { maxBuffer: 1 << 30 });
}
