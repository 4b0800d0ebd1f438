/**
 * @typedef {{left: number, top: number, width: number, height: number}} Rectangle in CSS pixels
 */

const GAP = 10;
/** Shapes of a tile, each with how much less it is liked than the first. */
const SHAPES = [
  { aspect: 16 / 9, worth: 1 },
  { aspect: 4 / 3, worth: 0.9 },
  { aspect: 1, worth: 0.78 },
];
const STRIP_SHARE = 0.22;

/**
 * Places tiles so that they are as large as they can be.
 *
 * @param {number} count
 * @param {number} staged how many of the first are shown large, with the others in a strip beside them
 * @param {number} width
 * @param {number} height
 * @returns {Rectangle[]}
 */
export function layout(count, staged, width, height) {
  if (staged === 0 || staged >= count) return grid(count, { left: 0, top: 0, width, height });
  const beside = width > height * 1.1;
  const strip = Math.max(beside ? 150 : 110, (beside ? width : height) * STRIP_SHARE);
  const stage = beside
    ? { left: 0, top: 0, width: width - strip - GAP, height }
    : { left: 0, top: 0, width, height: height - strip - GAP };
  const rest = beside
    ? { left: width - strip, top: 0, width: strip, height }
    : { left: 0, top: height - strip, width, height: strip };
  return [...grid(staged, stage), ...grid(count - staged, rest)];
}

/**
 * @param {number} count
 * @param {Rectangle} area
 * @returns {Rectangle[]}
 */
function grid(count, area) {
  const best = { worth: -1, columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    for (const { aspect, worth } of SHAPES) {
      const width = Math.min(
        (area.width - GAP * (columns - 1)) / columns,
        ((area.height - GAP * (rows - 1)) / rows) * aspect,
      );
      const size = { worth: worth * width * (width / aspect), columns, width, height: width / aspect };
      if (width > 0 && size.worth > best.worth) Object.assign(best, size);
    }
  }
  return Array.from({ length: count }, (_, index) => place(index, count, best, area));
}

/**
 * The last row is centred, and so is the whole.
 *
 * @param {number} index
 * @param {number} count
 * @param {{columns: number, width: number, height: number}} tile
 * @param {Rectangle} area
 * @returns {Rectangle}
 */
function place(index, count, { columns, width, height }, area) {
  const rows = Math.ceil(count / columns);
  const row = Math.floor(index / columns);
  const inRow = row === rows - 1 ? count - columns * (rows - 1) : columns;
  const rowWidth = inRow * width + (inRow - 1) * GAP;
  const allHeight = rows * height + (rows - 1) * GAP;
  return {
    left: area.left + (area.width - rowWidth) / 2 + (index % columns) * (width + GAP),
    top: area.top + (area.height - allHeight) / 2 + row * (height + GAP),
    width,
    height,
  };
}
