// Planes and projections as Python sends them, 8 bits a pixel: kept, asked for, coloured.

const MOST_BYTES = 160e6; // kept
const MOST_AHEAD = 64e6; // of one stack that is fetched ahead of being looked at
const MOST_COMPOSED = 12; // planes of a projection that is made here
const MOST_ASKED = 2; // under way: one more would make a click wait

/** What was fetched of all stacks; the least lately seen goes first. */
export class Frames {
  constructor(ask, arrived) {
    Object.assign(this, { ask, arrived });
    this.kept = new Map();
    this.bytes = 0;
    this.asked = new Set();
    this.queue = [];
  }

  static key({ index, planes, box, step }) {
    return `${index}|${planes}|${box}|${step}`;
  }

  get(spec) {
    const key = Frames.key(spec);
    const frame = this.kept.get(key) ?? this.compose(spec, key);
    if (!frame) return null;
    this.kept.delete(key);
    this.kept.set(key, frame);
    return frame;
  }

  /** The projection of a few planes that are all here. */
  compose(spec, key) {
    const [first, last] = spec.planes;
    if (first === last || last - first > MOST_COMPOSED) return null;
    const parts = [];
    for (let plane = first; plane <= last; plane++) {
      const part = this.kept.get(Frames.key({ ...spec, planes: [plane, plane] }));
      if (!part) return null;
      parts.push(part.grey);
    }
    const grey = parts[0].slice();
    for (const part of parts.slice(1))
      if (spec.dark) for (let i = 0; i < grey.length; i++) grey[i] = grey[i] < part[i] ? grey[i] : part[i];
      else for (let i = 0; i < grey.length; i++) grey[i] = grey[i] > part[i] ? grey[i] : part[i];
    const { height, width, box, step } = this.kept.get(Frames.key({ ...spec, planes: [first, first] }));
    return this.keep({ key, index: spec.index, grey, height, width, planes: [first, last], box, step });
  }

  /** Ask for what is not here, in this order; what was wanted before and was not asked for is forgotten. */
  want(specs) {
    this.queue = specs.filter((spec) => !this.kept.has(Frames.key(spec)) && !this.asked.has(Frames.key(spec)));
    this.next();
  }

  next() {
    while (this.queue.length && this.asked.size < MOST_ASKED) {
      const spec = this.queue.shift();
      const key = Frames.key(spec);
      this.asked.add(key);
      this.ask({ do: "frame", ...spec, key });
    }
  }

  take({ key, height, width, index }, data) {
    this.asked.delete(key);
    const grey = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const [, planes, box, step] = key.split("|");
    const numbers = (text) => text.split(",").map(Number);
    this.arrived(this.keep({ key, index, grey, height, width, planes: numbers(planes), box: numbers(box), step: Number(step) }));
    this.next();
  }

  keep(frame) {
    this.kept.set(frame.key, frame);
    this.bytes += frame.grey.length;
    for (const [old, one] of this.kept) {
      if (this.bytes <= MOST_BYTES || old === frame.key) break;
      this.kept.delete(old);
      this.bytes -= one.grey.length;
    }
    return frame;
  }

  /** Nothing more comes of what is under way. */
  forget() {
    this.asked.clear();
    this.next();
  }
}

/** How many neighbours to fetch of planes of so many bytes: all, if the whole stack is small. */
export const reachAhead = (bytes, count) =>
  bytes * count <= MOST_AHEAD ? count : Math.max(1, Math.min(5, Math.floor(MOST_AHEAD / 4 / bytes)));

/** Grey on the screen for each of the 256 levels, as the canvas stores it. */
export function lookup(levels, { low, high, gamma }) {
  const table = new Uint32Array(256);
  for (let k = 0; k < 256; k++) {
    const part = Math.max(0, Math.min(1, (levels[k] - low) / (high - low || 1)));
    const grey = Math.round(255 * part ** gamma);
    table[k] = (0xff000000 | (grey << 16) | (grey << 8) | grey) >>> 0;
  }
  return table;
}

/** A canvas that is coloured anew only when another frame, or another contrast, is asked for. */
export class Coloured {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.key = "";
  }

  of({ key, grey, width, height }, table, lookKey) {
    if (this.key === `${key} ${lookKey}`) return this.canvas;
    if (this.canvas.width !== width || this.canvas.height !== height || !this.pixels) {
      Object.assign(this.canvas, { width, height });
      this.pixels = new ImageData(width, height);
    }
    const out = new Uint32Array(this.pixels.data.buffer);
    for (let i = 0; i < out.length; i++) out[i] = table[grey[i]];
    this.canvas.getContext("2d").putImageData(this.pixels, 0, 0);
    this.key = `${key} ${lookKey}`;
    return this.canvas;
  }
}
