// Where things are: the part of the stack in view, points on a path, marks near a click. No page is needed here.
//
// Places are [z, y, x] in micrometres, the middle of the first voxel at 0; z is null where only a projection was clicked.

const MOST_PX = 24; // of the screen that one pixel of the image may take

/** The part of the image in view: `scale` in screen pixels per micrometre, `y` and `x` of the upper left corner. */
export class Port {
  constructor({ shape, voxel }) {
    const [, rows, columns] = shape;
    this.voxel = voxel;
    this.edge = [-voxel[1] / 2, -voxel[2] / 2];
    this.extent = [rows * voxel[1], columns * voxel[2]];
    this.size = [0, 0];
    this.scale = 0;
    [this.y, this.x] = this.edge;
  }

  /** Take the size of the canvas; what was in the middle stays there. */
  fit(width, height) {
    if (this.size[0] === width && this.size[1] === height) return;
    const middle = this.scale ? this.toUm([this.size[0] / 2, this.size[1] / 2]) : null;
    const whole = this.isWhole;
    this.size = [width, height];
    if (!middle || whole) return this.whole();
    this.scale = Math.max(this.scale, this.least);
    this.centre(middle);
  }

  get least() {
    return Math.min(this.size[1] / this.extent[0], this.size[0] / this.extent[1]);
  }

  get isWhole() {
    return this.scale <= this.least * 1.001;
  }

  whole() {
    this.scale = this.least;
    this.pan(0, 0);
  }

  toPx([y, x]) {
    return [(x - this.x) * this.scale, (y - this.y) * this.scale];
  }

  toUm([px, py]) {
    return [this.y + py / this.scale, this.x + px / this.scale];
  }

  /** Magnify about a point of the screen. */
  zoom(factor, [px, py]) {
    const [y, x] = this.toUm([px, py]);
    const most = MOST_PX / Math.min(this.voxel[1], this.voxel[2]);
    this.scale = Math.max(this.least, Math.min(most, this.scale * factor));
    this.y = y - py / this.scale;
    this.x = x - px / this.scale;
    this.pan(0, 0);
  }

  /** Move by so many pixels of the screen; the image cannot leave it. */
  pan(dx, dy) {
    const kept = (from, edge, extent, seen) =>
      seen >= extent ? edge - (seen - extent) / 2 : Math.max(edge, Math.min(edge + extent - seen, from));
    this.x = kept(this.x - dx / this.scale, this.edge[1], this.extent[1], this.size[0] / this.scale);
    this.y = kept(this.y - dy / this.scale, this.edge[0], this.extent[0], this.size[1] / this.scale);
  }

  centre([y, x]) {
    this.y = y - this.size[1] / 2 / this.scale;
    this.x = x - this.size[0] / 2 / this.scale;
    this.pan(0, 0);
  }

  /** Bring a place into the inner part of the view. */
  bring([, y, x]) {
    const [px, py] = this.toPx([y, x]);
    const [w, h] = this.size;
    if (px < 0.15 * w || px > 0.85 * w || py < 0.15 * h || py > 0.85 * h) this.centre([y, x]);
  }

  /** Show all of a path, and some around it. */
  frame(places, margin = 4) {
    const range = (k) => [Math.min(...places.map((place) => place[k])) - margin, Math.max(...places.map((place) => place[k])) + margin];
    const [[top, bottom], [left, right]] = [range(1), range(2)];
    this.scale = Math.max(this.least, Math.min(this.size[0] / (right - left), this.size[1] / (bottom - top), 40));
    this.centre([(top + bottom) / 2, (left + right) / 2]);
  }

  close([, y, x], scale) {
    this.scale = Math.max(this.least, scale);
    this.centre([y, x]);
  }

  holds([y, x]) {
    const [dy, dx] = [y - this.edge[0], x - this.edge[1]];
    return dy >= 0 && dx >= 0 && dy <= this.extent[0] && dx <= this.extent[1];
  }
}

export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

export const samePlace = (a, b) => !!a && !!b && a[0] === b[0] && a[1] === b[1] && a[2] === b[2];

export const placeOf = (mark) => [mark.z, mark.y, mark.x];

/** Index of the nearest of `places` to a point of the screen, seen from above; -1 if none is within `reach` pixels. */
export function nearestPlace(port, places, [px, py], reach) {
  let best = -1;
  let least = reach;
  for (const [k, place] of places.entries()) {
    const [x, y] = port.toPx([place[1], place[2]]);
    const far = Math.hypot(x - px, y - py);
    if (far <= least) [best, least] = [k, far];
  }
  return best;
}

/** Index of the point of a line that is nearest to (y, x), and how far it is in micrometres. */
export function nearestOnLine(line, [y, x]) {
  let best = 0;
  let least = Infinity;
  for (let k = 0; k < line.length; k++) {
    const far = Math.hypot(line[k][1] - y, line[k][2] - x);
    if (far < least) [best, least] = [k, far];
  }
  return [best, least];
}

/**
 * Where a new point belongs among the points of a path: between two of them when it lies on the line traced through
 * them (within `reach` micrometres), else beyond the nearer end.
 */
export function slotFor(points, line, place, reach) {
  if (points.length < 2) return points.length;
  const at = [place[1], place[2]];
  if (line.length > 1) {
    const [k, far] = nearestOnLine(line, at);
    if (far <= reach && k > 0 && k < line.length - 1) {
      const before = points.filter((point) => nearestOnLine(line, [point[1], point[2]])[0] <= k).length;
      return clamp(before, 1, points.length - 1);
    }
  }
  const away = (point) => Math.hypot(point[1] - at[0], point[2] - at[1]);
  return away(points[0]) < away(points[points.length - 1]) ? 0 : points.length;
}

/** Length of a line from its start to each of its points. */
export function stepsOf(line) {
  const steps = [0];
  for (let k = 1; k < line.length; k++)
    steps.push(steps[k - 1] + Math.hypot(...[0, 1, 2].map((i) => line[k][i] - line[k - 1][i])));
  return steps;
}

/** The place on a line at `s` micrometres from its start, `d` micrometres to its left. */
export function placeAt(line, s, d) {
  const steps = stepsOf(line);
  let k = steps.findIndex((step) => step >= s);
  k = clamp(k < 0 ? line.length - 1 : k, 1, line.length - 1);
  const part = clamp((s - steps[k - 1]) / (steps[k] - steps[k - 1] || 1), 0, 1);
  const point = [0, 1, 2].map((i) => line[k - 1][i] + part * (line[k][i] - line[k - 1][i]));
  const [a, b] = [line[Math.max(0, k - 6)], line[Math.min(line.length - 1, k + 5)]];
  const size = Math.hypot(b[1] - a[1], b[2] - a[2]) || 1;
  return [point[0], point[1] - (d * (b[2] - a[2])) / size, point[2] + (d * (b[1] - a[1])) / size];
}

/** Which planes are seen: one, those of a slab around it, or all. */
export function planesOf(mode, plane, half, count) {
  if (mode === "whole") return [0, count - 1];
  if (mode === "slab") return [Math.max(0, plane - half), Math.min(count - 1, plane + half)];
  return [plane, plane];
}

/**
 * The part of a plane to ask for, and how many pixels are one: all of it where that is not too large, else what is in
 * view and some around it, else all of it, coarse. Aligned, so that a small move needs nothing new.
 */
export function partOf([, rows, columns], port, most) {
  if (rows * columns <= most) return { box: [0, rows, 0, columns], step: 1 };
  const [w, h] = port.size;
  const index = (um, axis) => um / port.voxel[axis];
  const low = [index(port.y, 1), index(port.x, 2)];
  const high = [index(port.y + h / port.scale, 1), index(port.x + w / port.scale, 2)];
  const tile = 256;
  const first = low.map((v) => Math.max(0, Math.floor(v / tile) * tile - tile / 2));
  const last = high.map((v, k) => Math.min([rows, columns][k], Math.ceil(v / tile) * tile + tile / 2));
  if ((last[0] - first[0]) * (last[1] - first[1]) <= most) return { box: [first[0], last[0], first[1], last[1]], step: 1 };
  return { box: [0, rows, 0, columns], step: Math.ceil(Math.sqrt((rows * columns) / most)) };
}

/** Numbers 0, 1, -1, 2, -2, ... turned towards `direction`: which neighbours to fetch first. */
export function around(direction, reach) {
  const out = [];
  for (let k = 1; k <= reach; k++) out.push(direction >= 0 ? k : -k, direction >= 0 ? -k : k);
  return out;
}
