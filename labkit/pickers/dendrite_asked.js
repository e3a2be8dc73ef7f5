// What Python is asked for by the way, when it is looked at: levels, planes, the traced line with its strip, crops.

import { Frames } from "./dendrite_frames.js";
import { DendriteHand } from "./dendrite_hand.js";
import { cropKey } from "./dendrite_strip.js";
import { placeOf } from "./dendrite_view.js";

const NO_LINE = { key: "", line: [], strip: null, fresh: false };

export class Asked extends DendriteHand {
  constructor(...given) {
    super(...given);
    this.frames = new Frames(
      (message) => this.model.send(message),
      (frame) => frame.index === this.current && this.draw(),
    );
    this.about = []; // levels and contrast, by item
    this.lines = []; // traced lines, by item
    this.crops = new Map();
    this.onMessage = (message, buffers) => this.hear(message, buffers);
    this.model.on("msg:custom", this.onMessage);
  }

  hear(message, buffers) {
    if (message.opened) {
      const { index, levels, window: [low, high] } = message.opened;
      this.about[index] ??= { levels, look: { low, high, gamma: this.items[index].dark ? 1 : 0.7 } };
    } else if (message.frame) this.frames.take(message.frame, buffers[0]);
    else if (message.line) this.takeLine(message.line, buffers[0]);
    else if (message.crops) this.takeCrops(message.crops, buffers[0]);
    else if (message.failed) {
      this.frames.forget();
      this.complain(message.failed.error);
    }
    this.draw();
  }

  takeLine(told, data) {
    const strip = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.lines[told.index] = { ...told, strip };
    if (told.error) this.complain(told.error);
    this.lookUp();
    this.fillMarks();
  }

  takeCrops({ index, key, at, along, size }, data) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (const [k, place] of at.entries())
      this.crops.set(cropKey(index, place), { key, along: along[k], size, grey: bytes.slice(k * size * size, (k + 1) * size * size) });
    this.asking = "";
  }

  /** Ask for the line of the path and for the crops of the spines, where they are not here yet. */
  lookUp() {
    const { current, hand } = this;
    if (!hand.points.length || this.tracing) return;
    if (this.lines[current]?.key !== hand.key) {
      if (this.asked === `${current} ${hand.key}`) return;
      this.asked = `${current} ${hand.key}`;
      this.model.send({ do: "line", index: current, key: hand.key });
      return;
    }
    this.asked = "";
    const missing = hand.marks.map(placeOf).filter((place) => this.crops.get(cropKey(current, place))?.key !== hand.key);
    const asking = JSON.stringify([current, hand.key, missing]);
    if (!missing.length || this.asking === asking) return;
    this.asking = asking;
    this.model.send({ do: "crops", index: current, key: hand.key, at: missing });
  }

  /** The line as last traced; it is fresh when it is that of the points shown. */
  get line() {
    const line = this.lines[this.current];
    if (!line || line.error || !line.line.length || !this.points.length) return NO_LINE;
    return { ...line, fresh: !this.local && line.key === this.hand.key };
  }

  /** Where a spine lies along the line and across it. */
  lying(mark) {
    const crop = this.crops.get(cropKey(this.current, placeOf(mark)));
    return crop && crop.key === this.lines[this.current]?.key ? crop.along : null;
  }

  /** Marks along the path. */
  inOrder(marks) {
    const along = (mark) => this.lying(mark)?.[0] ?? 0;
    return [...marks].sort((a, b) => along(a) - along(b));
  }

  remove() {
    this.model.off("msg:custom", this.onMessage);
    super.remove();
  }
}
