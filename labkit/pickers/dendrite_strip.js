// The dendrite laid out straight below the stack, with its spines; and the gallery of spines by class.

import { CLASSES, paintMark } from "./dendrite_plot.js";
import { clamp, placeOf, samePlace } from "./dendrite_view.js";

const SCALES = [8, 16]; // least and most pixels per micrometre
const ROOM = 18; // below it, for its ruler

/** Key of a spine among crops. */
export const cropKey = (index, place) => `${index}|${place.join()}`;

export class Strip {
  constructor() {
    this.from = 0; // micrometres from the start of the path at the left edge
    this.canvas = document.createElement("canvas");
  }

  /** Another line, or the same in another contrast. */
  colour(line, table, lookKey) {
    const key = `${line.key} ${line.width} ${lookKey}`;
    if (this.key === key) return;
    if (!this.key?.startsWith(`${line.key} `)) this.from = 0;
    Object.assign(this.canvas, { width: line.width, height: line.height });
    const pixels = new ImageData(line.width, line.height);
    const out = new Uint32Array(pixels.data.buffer);
    for (let i = 0; i < out.length; i++) out[i] = table[line.strip[i]];
    this.canvas.getContext("2d").putImageData(pixels, 0, 0);
    this.key = key;
  }

  /** Pixels of the screen per micrometre: the whole path if it fits, else what fits at a size that is readable. */
  fit(line, wide) {
    this.wide = wide;
    this.length = line.width * line.um_per_px;
    this.half = line.half_um;
    this.scale = clamp(wide / this.length, ...SCALES);
    this.tall = Math.round(2 * this.half * this.scale);
    this.from = clamp(this.from, 0, Math.max(0, this.length - wide / this.scale));
  }

  toPx([s, d]) {
    return [(s - this.from) * this.scale, (this.tall / 2) * (1 - d / this.half)];
  }

  toUm([px, py]) {
    return [clamp(this.from + px / this.scale, 0, this.length), clamp(this.half * (1 - (2 * py) / this.tall), -this.half, this.half)];
  }

  scroll(dx) {
    this.from = clamp(this.from + dx / this.scale, 0, Math.max(0, this.length - this.wide / this.scale));
  }

  /** Bring a position along the path into view. */
  bring(s) {
    const seen = this.wide / this.scale;
    if (s < this.from + 0.05 * seen || s > this.from + 0.95 * seen) this.from = clamp(s - seen / 2, 0, Math.max(0, this.length - seen));
  }

  get height() {
    return this.tall + ROOM;
  }

  paint(pen, line, { marks, lying, chosen, colours }) {
    const { wide, tall, scale } = this;
    pen.fillStyle = "#141414";
    pen.fillRect(0, 0, wide, tall);
    const per = line.um_per_px;
    pen.imageSmoothingEnabled = true;
    pen.drawImage(this.canvas, this.from / per, 0, wide / scale / per, line.height, 0, 0, wide, tall);
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, wide, tall);
    pen.clip();
    for (const mark of marks) {
      const at = lying(mark);
      if (at) paintMark(pen, mark, ...this.toPx(at), { chosen: samePlace(placeOf(mark), chosen), r: 5 });
    }
    pen.restore();
    pen.clearRect(0, tall, wide, ROOM);
    pen.fillStyle = pen.strokeStyle = colours.muted;
    pen.font = `11px ${colours.font}`;
    pen.textBaseline = "top";
    const step = [1, 2, 5, 10, 20, 50, 100].find((m) => m * scale > 55) ?? 200;
    pen.beginPath();
    for (let s = Math.ceil(this.from / step) * step; s <= Math.min(this.length, this.from + wide / scale); s += step) {
      const x = Math.round((s - this.from) * scale) + 0.5;
      pen.moveTo(x, tall);
      pen.lineTo(x, tall + 4);
      const said = s === 0 ? "0 µm" : String(s);
      pen.textAlign = x < 10 ? "left" : x > wide - 12 ? "right" : "center";
      pen.fillText(said, x, tall + 5);
    }
    pen.lineWidth = 1;
    pen.stroke();
  }
}

/** Index of the mark under a click on the strip; -1 if there is none. */
export function markInStrip(strip, marks, lying, [px, py]) {
  let best = -1;
  let least = 13;
  for (const [k, mark] of marks.entries()) {
    const at = lying(mark);
    if (!at) continue;
    const [x, y] = strip.toPx(at);
    const far = Math.hypot(x - px, y - py);
    if (far < least) [best, least] = [k, far];
  }
  return best;
}

/** Fill the gallery: one small picture a spine, in the row of its class, in the order along the path. */
export function fillGallery(part, { index, marks, crops, chosen, table, lookKey, choose }) {
  for (const name of CLASSES) {
    const holder = part[`class-${name}`].lastChild;
    const own = marks.filter((mark) => mark.class === name && mark.origin !== "removed");
    while (holder.children.length > own.length) holder.lastChild.remove();
    for (const [k, mark] of own.entries()) {
      const button = holder.children[k] ?? holder.appendChild(newCrop());
      const place = placeOf(mark);
      const crop = crops.get(cropKey(index, place));
      button.onclick = () => choose(place);
      const isChosen = String(samePlace(place, chosen));
      if (button.getAttribute("aria-pressed") !== isChosen) button.setAttribute("aria-pressed", isChosen);
      const sure = mark.confidence === null ? "added by hand" : `confidence ${mark.confidence.toFixed(2)}`;
      const told = `${name}, ${mark.origin}, ${sure}`;
      if (button.title !== told) button.title = told;
      button.setAttribute("aria-label", told);
      button.dataset.origin = mark.origin;
      const key = crop ? `${cropKey(index, place)} ${lookKey}` : "";
      if (button.dataset.key === key) continue;
      button.dataset.key = key;
      paintCrop(button.firstChild, crop, table);
    }
  }
}

function newCrop() {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "lk-crop" });
  button.append(document.createElement("canvas"));
  return button;
}

function paintCrop(canvas, crop, table) {
  const size = crop?.size ?? 56;
  Object.assign(canvas, { width: size, height: size });
  if (!crop || !table) return;
  const pixels = new ImageData(size, size);
  const out = new Uint32Array(pixels.data.buffer);
  for (let i = 0; i < out.length; i++) out[i] = table[crop.grey[i]];
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}
