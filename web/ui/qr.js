/**
 * QR codes after ISO/IEC 18004: byte mode, error correction level M, versions 1 to 10.
 *
 * @typedef {boolean[][]} Matrix rows of modules, `true` is dark; without the quiet zone
 */

/**
 * By version, for level M: error correction codewords per block, then blocks and data codewords of
 * each of the two groups (ISO/IEC 18004, table 9).
 */
const BLOCKS = /** @type {const} */ ([
  [10, 1, 16, 0, 0],
  [16, 1, 28, 0, 0],
  [26, 1, 44, 0, 0],
  [18, 2, 32, 0, 0],
  [24, 2, 43, 0, 0],
  [16, 4, 27, 0, 0],
  [18, 4, 31, 0, 0],
  [22, 2, 38, 2, 39],
  [22, 3, 36, 2, 37],
  [26, 4, 43, 1, 44],
]);
/** Centres of the alignment patterns by version (annex E). */
const ALIGNMENT = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];
/** Level M in the format information (table 12). */
const LEVEL_M = 0b00;

/** The conditions of table 10, under which a mask inverts a module. */
const MASKS = /** @type {readonly ((row: number, column: number) => boolean)[]} */ ([
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
]);

/**
 * @param {string} text
 * @returns {Matrix | null} `null` if it is longer than version 10 holds: 213 bytes of UTF-8
 */
export function qr(text) {
  const bytes = new TextEncoder().encode(text);
  const version = BLOCKS.findIndex((_, index) => bytes.length <= capacityOf(index + 1)) + 1;
  if (version === 0) return null;
  const codewords = interleaved(dataOf(bytes, version), version);
  const drawn = MASKS.map((_, mask) => draw(version, codewords, mask));
  return drawn.reduce((best, matrix) => (penalty(matrix) < penalty(best) ? matrix : best));
}

/** @param {number} version */
function dataLength(version) {
  const [, many, length, more, longer] = blocksOf(version);
  return many * length + more * longer;
}

/** @param {number} version how many bytes of text it holds: less 4 bits of mode and the count */
function capacityOf(version) {
  return dataLength(version) - (version < 10 ? 2 : 3);
}

/** @param {number} version */
function blocksOf(version) {
  return BLOCKS[version - 1] ?? BLOCKS[0];
}

/**
 * The data codewords: mode, count, bytes, terminator and padding (7.4).
 *
 * @param {Uint8Array} bytes
 * @param {number} version
 */
function dataOf(bytes, version) {
  /** @type {number[]} */
  const bits = [];
  const put = (/** @type {number} */ value, /** @type {number} */ length) => {
    for (let at = length - 1; at >= 0; at -= 1) bits.push((value >> at) & 1);
  };
  const length = dataLength(version);
  put(0b0100, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, length * 8 - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < length * 8; pad ^= 0xec ^ 0x11) put(pad, 8);
  return Array.from({ length }, (_, at) => bits.slice(at * 8, at * 8 + 8).reduce((sum, bit) => sum * 2 + bit, 0));
}

/**
 * Splits the data into blocks, adds the correction of each and weaves them together (7.5, 7.6).
 *
 * @param {number[]} data
 * @param {number} version
 */
function interleaved(data, version) {
  const [corrections, many, length, more, longer] = blocksOf(version);
  const lengths = [...Array(many).fill(length), ...Array(more).fill(longer)];
  let start = 0;
  const blocks = lengths.map((size) => data.slice(start, (start += size)));
  const generator = generatorOf(corrections);
  const remainders = blocks.map((block) => remainderOf(block, generator));
  return [...woven(blocks), ...woven(remainders)];
}

/** @param {number[][]} blocks the first of each, then the second of each, and so on */
function woven(blocks) {
  const longest = Math.max(...blocks.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => blocks.flatMap((block) => block.slice(at, at + 1))).flat();
}

/**
 * Multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (7.5.2).
 *
 * @param {number} one
 * @param {number} other
 */
function times(one, other) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((other >> bit) & 1) * one;
  }
  return product;
}

/** @param {number} degree the product of all (x - 2^i), without the leading 1 */
function generatorOf(degree) {
  const polynomial = [...Array(degree - 1).fill(0), 1];
  let root = 1;
  for (let at = 0; at < degree; at += 1) {
    for (let place = 0; place < degree; place += 1) {
      polynomial[place] = times(polynomial[place] ?? 0, root) ^ (polynomial[place + 1] ?? 0);
    }
    root = times(root, 2);
  }
  return polynomial;
}

/**
 * @param {number[]} data
 * @param {number[]} generator
 */
function remainderOf(data, generator) {
  const remainder = generator.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ (remainder.shift() ?? 0);
    remainder.push(0);
    generator.forEach((coefficient, at) => (remainder[at] = (remainder[at] ?? 0) ^ times(coefficient, factor)));
  }
  return remainder;
}

/**
 * @param {number} version
 * @param {number[]} codewords
 * @param {number} mask
 * @returns {Matrix}
 */
function draw(version, codewords, mask) {
  const size = 17 + 4 * version;
  /** @type {(boolean | null)[][]} */
  const modules = Array.from({ length: size }, () => Array(size).fill(null));
  const set = (/** @type {number} */ row, /** @type {number} */ column, /** @type {boolean} */ dark) => {
    const line = modules[row];
    if (line && column >= 0 && column < size) line[column] = dark;
  };
  drawTiming(size, set);
  for (const [row, column] of /** @type {const} */ ([[3, 3], [3, size - 4], [size - 4, 3]])) drawFinder(row, column, set);
  drawAlignment(version, size, set);
  drawFormat(size, mask, set);
  if (version >= 7) drawVersion(version, size, set);
  drawData(modules, codewords, MASKS[mask] ?? (() => false));
  return modules.map((line) => line.map(Boolean));
}

/**
 * @param {number} size
 * @param {(row: number, column: number, dark: boolean) => void} set
 */
function drawTiming(size, set) {
  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
}

/**
 * A finder pattern with its separator; what lies outside is not drawn.
 *
 * @param {number} row of the centre
 * @param {number} column
 * @param {(row: number, column: number, dark: boolean) => void} set
 */
function drawFinder(row, column, set) {
  for (let down = -4; down <= 4; down += 1) {
    for (let right = -4; right <= 4; right += 1) {
      const ring = Math.max(Math.abs(down), Math.abs(right));
      set(row + down, column + right, ring !== 2 && ring !== 4);
    }
  }
}

/**
 * @param {number} version
 * @param {number} size
 * @param {(row: number, column: number, dark: boolean) => void} set
 */
function drawAlignment(version, size, set) {
  const centres = ALIGNMENT[version - 1] ?? [];
  for (const row of centres) {
    for (const column of centres) {
      const isInFinder = (row < 9 && column < 9) || (row < 9 && column > size - 9) || (row > size - 9 && column < 9);
      if (isInFinder) continue;
      for (let down = -2; down <= 2; down += 1) {
        for (let right = -2; right <= 2; right += 1) {
          set(row + down, column + right, Math.max(Math.abs(down), Math.abs(right)) !== 1);
        }
      }
    }
  }
}

/**
 * Level and mask, twice, protected by a BCH code (7.9.1).
 *
 * @param {number} size
 * @param {number} mask
 * @param {(row: number, column: number, dark: boolean) => void} set
 */
function drawFormat(size, mask, set) {
  const data = (LEVEL_M << 3) | mask;
  const bits = ((data << 10) | bch(data, 10, 0x537)) ^ 0x5412;
  const bit = (/** @type {number} */ at) => ((bits >> at) & 1) === 1;
  for (let at = 0; at < 15; at += 1) {
    const row = at < 6 ? at : at < 8 ? at + 1 : size - 15 + at;
    set(row, 8, bit(at));
    const column = at < 8 ? size - 1 - at : at === 8 ? 7 : 14 - at;
    set(8, column, bit(at));
  }
  set(size - 8, 8, true);
}

/**
 * @param {number} version 7 or above says so, twice (7.10)
 * @param {number} size
 * @param {(row: number, column: number, dark: boolean) => void} set
 */
function drawVersion(version, size, set) {
  const bits = (version << 12) | bch(version, 12, 0x1f25);
  for (let at = 0; at < 18; at += 1) {
    const dark = ((bits >> at) & 1) === 1;
    set(Math.floor(at / 3), size - 11 + (at % 3), dark);
    set(size - 11 + (at % 3), Math.floor(at / 3), dark);
  }
}

/**
 * @param {number} data
 * @param {number} degree
 * @param {number} generator
 */
function bch(data, degree, generator) {
  let rest = data;
  for (let at = 0; at < degree; at += 1) rest = (rest << 1) ^ ((rest >> (degree - 1)) * generator);
  return rest;
}

/**
 * Fills what is free in columns of two, from the right, up and down by turns (7.7.3).
 *
 * @param {(boolean | null)[][]} modules
 * @param {number[]} codewords
 * @param {(row: number, column: number) => boolean} mask
 */
function drawData(modules, codewords, mask) {
  const size = modules.length;
  let bit = 0;
  let isUp = true;
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2, isUp = !isUp) {
    for (let step = 0; step < size; step += 1) {
      const row = isUp ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        const line = modules[row];
        if (!line || line[column] !== null) continue;
        const dark = (((codewords[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
        line[column] = dark !== mask(row, column);
        bit += 1;
      }
    }
  }
}

/** @param {Matrix} matrix how hard it is to read (7.8.3) */
function penalty(matrix) {
  const columns = matrix.map((_, at) => matrix.map((line) => line[at] ?? false));
  const lines = [...matrix, ...columns];
  const dark = matrix.flat().filter(Boolean).length / matrix.length ** 2;
  const runs = lines.reduce((sum, line) => sum + runPenalty(line), 0);
  return runs + squarePenalty(matrix) + Math.floor(Math.abs(dark - 0.5) / 0.05) * 10;
}

/** @param {boolean[]} line runs of one colour, and what looks like a finder */
function runPenalty(line) {
  const text = line.map((dark) => (dark ? '1' : '0')).join('');
  const runs = text.match(/0{5,}|1{5,}/g) ?? [];
  const finders = text.match(/(?=10111010000|00001011101)/g) ?? [];
  return runs.reduce((sum, run) => sum + run.length - 2, 0) + finders.length * 40;
}

/** @param {Matrix} matrix */
function squarePenalty(matrix) {
  let count = 0;
  matrix.forEach((line, row) => {
    const below = matrix[row + 1];
    if (!below) return;
    for (let at = 0; at + 1 < line.length; at += 1) {
      if (line[at] === line[at + 1] && line[at] === below[at] && line[at] === below[at + 1]) count += 3;
    }
  });
  return count;
}
