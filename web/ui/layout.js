/**
 * @typedef {{left: number, top: number, width: number, height: number}} Rectangle in CSS pixels
 */

const GAP = 10;
const ASPECT_MAX = 16 / 9;
const ASPECT_MIN = 3 / 4;
/** How much less a tile is liked that cuts a wide picture down to the narrowest shape. */
const NARROW_WORTH = 0.8;
/** Smaller than this, nobody is recognised. */
const TILE_MIN = { width: 116, height: 84 };
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
  const { stage, strip } = areas(width, height);
  return [...grid(staged, stage), ...grid(count - staged, strip)];
}

/**
 * How many tiles fit beside the staged ones without being too small to recognise anyone.
 *
 * @param {boolean} isStaged whether they are in the strip beside a stage, or have the whole place
 * @param {number} width
 * @param {number} height
 * @param {number} most
 * @returns {number} at least 1
 */
export function capacity(isStaged, width, height, most) {
  const area = isStaged ? areas(width, height).strip : { left: 0, top: 0, width, height };
  for (let count = most; count > 1; count -= 1) {
    const [tile] = grid(count, area);
    if (tile && tile.width >= TILE_MIN.width && tile.height >= TILE_MIN.height) return count;
  }
  return 1;
}

/**
 * The place of the large tiles and that of the others: beside them where it is wide, else below.
 *
 * @param {number} width
 * @param {number} height
 */
function areas(width, height) {
  const beside = width > height * 1.1;
  const extent = beside ? width : height;
  const thick = Math.min(extent / 2, Math.max(beside ? 150 : 104, extent * STRIP_SHARE));
  const rest = Math.max(0, extent - thick - GAP);
  return beside
    ? { stage: { left: 0, top: 0, width: rest, height }, strip: { left: extent - thick, top: 0, width: thick, height } }
    : { stage: { left: 0, top: 0, width, height: rest }, strip: { left: 0, top: extent - thick, width, height: thick } };
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
    const cell = { width: (area.width - GAP * (columns - 1)) / columns, height: (area.height - GAP * (rows - 1)) / rows };
    if (cell.width <= 0 || cell.height <= 0) continue;
    const size = shaped(cell);
    const worth = worthOf(size);
    if (worth > best.worth) Object.assign(best, { worth, columns, ...size });
  }
  return Array.from({ length: count }, (_, index) => place(index, count, best, area));
}

/** @param {{width: number, height: number}} cell the largest tile in it that is neither too wide nor too narrow */
function shaped({ width, height }) {
  return { width: Math.min(width, height * ASPECT_MAX), height: Math.min(height, width / ASPECT_MIN) };
}

/** @param {{width: number, height: number}} tile its area, less what a narrow shape cuts off a picture */
function worthOf({ width, height }) {
  const wide = Math.min(1, (width / height - ASPECT_MIN) / (ASPECT_MAX - ASPECT_MIN));
  return width * height * (NARROW_WORTH + (1 - NARROW_WORTH) * wide);
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
