// The image of a blot in the browser: greys as Python packed them, halved again and again, coloured when drawn.

import { lookup, partBelow } from "./lanes_shape.js";

const PAINT = [0, 0xffb0a000, 0xff7d00e5]; // coloured, saturated: as the canvas stores #00a0b0 and #e5007d

/** Inflate what Python sent; `told` is its size and range. */
export async function unpackImage(told, data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const n = told.width * told.height;
  return new BlotImage(told, bytes.subarray(0, n), bytes.subarray(n, 2 * n));
}

class BlotImage {
  constructor(told, grey, marks) {
    Object.assign(this, told); // width, height, low, high, factor
    this.levels = [{ grey, marks, width: told.width, height: told.height }];
    while (Math.min(this.last.width, this.last.height) > 200) this.levels.push(halved(this.last));
    this.saturated = marks.reduce((sum, mark) => sum + (mark === 2), 0);
    this.coloured = marks.reduce((sum, mark) => sum + (mark === 1), 0);
  }

  get last() {
    return this.levels[this.levels.length - 1];
  }

  get grey() {
    return this.levels[0].grey;
  }

  /** Contrast that shows the bands of most blots. */
  fitted(turned) {
    const { grey } = this.levels[Math.min(2, this.levels.length - 1)];
    const low = partBelow(grey, 0.02, turned);
    return { low, high: Math.max(low + 0.02, partBelow(grey, 0.998, turned)), gamma: 1, inverted: false };
  }

  /**
   * Draw what is in view into the frame: [width, height] in CSS pixels. Of the level that is just fine enough for the
   * screen only what is in sight is coloured: never more pixels than the screen has.
   */
  draw(pen, view, [wide, tall], look, turned, ratio) {
    const finest = view.scale * this.factor * ratio; // pixels of the screen per pixel of the copy
    const k = Math.max(0, Math.min(this.levels.length - 1, Math.floor(-Math.log2(finest))));
    const size = this.factor * 2 ** k; // pixels of the image per pixel of the level
    const scale = view.scale * size;
    const along = (place, frame, most) => {
      const first = Math.max(0, Math.floor(place / size));
      const last = Math.min(most, Math.ceil((place + frame / view.scale) / size));
      return [first, Math.max(0, last - first), (first * size - place) * view.scale];
    };
    const [x, width, left] = along(view.x, wide, this.levels[k].width);
    const [y, height, top] = along(view.y, tall, this.levels[k].height);
    if (!width || !height) return;
    const key = JSON.stringify([k, x, y, width, height, look, turned]);
    if (key !== this.key) this.canvas = coloured(this.levels[k], [x, y, width, height], look, turned, this.canvas);
    this.key = key;
    pen.imageSmoothingEnabled = scale * ratio < 3;
    pen.drawImage(this.canvas, left, top, width * scale, height * scale);
  }
}

/** A canvas with part of a level in the colours asked for. */
function coloured({ grey, marks, width: row }, [left, top, width, height], look, turned, canvas) {
  canvas ??= document.createElement("canvas");
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const table = lookup(look, turned);
  const pixels = new ImageData(width, height);
  const out = new Uint32Array(pixels.data.buffer);
  // Which pixels are saturated is known for the polarity that the image was read with.
  const marked = look.marked && !turned;
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0, i = (top + y) * row + left; x < width; x++, i++, o++) out[o] = marked && marks[i] ? PAINT[marks[i]] : table[grey[i]];
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/** Half the size: means of greys, and the greatest mark of four, so that a few saturated pixels stay in sight. */
function halved({ grey, marks, width, height }) {
  const half = { width: width >> 1, height: height >> 1 };
  half.grey = new Uint8Array(half.width * half.height);
  half.marks = new Uint8Array(half.width * half.height);
  for (let y = 0, o = 0; y < half.height; y++) {
    for (let x = 0, i = 2 * y * width; x < half.width; x++, i += 2, o++) {
      half.grey[o] = (grey[i] + grey[i + 1] + grey[i + width] + grey[i + width + 1] + 2) >> 2;
      half.marks[o] = Math.max(marks[i], marks[i + 1], marks[i + width], marks[i + width + 1]);
    }
  }
  return half;
}

/** The images of a study: asked for when they are needed, kept while they are near. */
export class Images {
  constructor(model, items, arrived) {
    this.kept = new Map(); // by group, the latest last
    this.asked = new Set();
    Object.assign(this, { model, items, arrived });
    this.onMessage = async (content, buffers) => {
      if (!content?.image) return;
      const { group } = items[content.image.index];
      if (!this.asked.delete(group)) return;
      this.kept.set(group, await unpackImage(content.image, buffers[0]));
      this.arrived(group);
    };
    model.on("msg:custom", this.onMessage);
  }

  /** The image of item `index`, or null until it has arrived. */
  get(index) {
    const { group } = this.items[index];
    const image = this.kept.get(group);
    if (!image) {
      this.ask(index);
      return null;
    }
    this.kept.delete(group);
    this.kept.set(group, image);
    for (const other of [...this.kept.keys()].slice(0, -4)) this.kept.delete(other);
    return image;
  }

  ask(index) {
    const item = this.items[index];
    if (!item || this.kept.has(item.group) || this.asked.has(item.group)) return;
    this.asked.add(item.group);
    this.model.send({ do: "image", index });
  }

  remove() {
    this.model.off("msg:custom", this.onMessage);
  }
}
