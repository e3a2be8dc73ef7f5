// The dendrite picker of a whole study: a list of dendrites, the current one as a stack that is turned by planes.
//
// Plane, zoom, contrast and a drag in progress live here only. Planes, lines and crops are asked for when they are looked
// at and kept; steps go to Python as numbered messages.

import { Asked } from "./dendrite_asked.js";
import { Coloured, lookup, reachAhead } from "./dendrite_frames.js";
import { DendriteInput } from "./dendrite_input.js";
import { build, fillDendrite, fillHand, fillTools, fillWords } from "./dendrite_page.js";
import { paintCross, paintFrame, paintLegend, paintShapes } from "./dendrite_plot.js";
import { Strip, fillGallery } from "./dendrite_strip.js";
import { Port, around, clamp, partOf, planesOf } from "./dendrite_view.js";
import { readColours } from "./page.js";
import { newName } from "./view.js";

const MOST_PIXELS = 4.2e6; // of a plane that is sent whole
const [LEAST_CLOSE, CLOSE] = [9, 16]; // pixels per micrometre at which single spines are seen

class DendriteView extends Asked {
  constructor(model, el) {
    const name = newName();
    const items = model.get("_items").map((item) => ({ ...item, label: "" }));
    super(model, build(name), items, name);
    this.coloured = new Coloured();
    this.strip = new Strip();
    this.view = "whole";
    this.half = 2;
    this.input = new DendriteInput(this);
    this.start(el);
  }

  // -- what is looked at

  open() {
    this.forget();
    const { item, marks, current } = this;
    this.port = new Port(item);
    this.plane = Math.floor(item.shape[0] / 2);
    this.mode = marks[current].status === "proposed" ? "path" : "spines";
    this.view = item.shape[0] > 1 ? "whole" : "slice";
    this.direction = 1;
    this.hidden = this.cross = false;
    this.toFrame = this.mode === "spines";
    fillDendrite(this.part, item);
    this.model.send({ do: "open", index: current });
    this.lookUp();
  }

  get opened() {
    return this.about[this.current];
  }

  get look() {
    return this.opened?.look;
  }

  setLook(changes) {
    if (this.look) Object.assign(this.look, changes);
    this.draw();
  }

  brighten(factor) {
    const { look, opened } = this;
    if (look) this.setLook({ high: Math.max(look.low + (opened.levels[255] - opened.levels[0]) / 500, look.low + (look.high - look.low) * factor) });
  }

  filter(least) {
    this.least = least;
    this.fillMarks();
    this.draw();
  }

  whole() {
    this.port.whole();
    this.draw();
  }

  setView(view) {
    if (this.item.shape[0] > 1) this.view = view;
    this.draw();
  }

  thicken(by) {
    this.half = clamp(this.half + by, 1, Math.max(1, this.item.shape[0] - 1));
    this.setView("slab");
  }

  turnTo(plane) {
    if (this.view === "whole") this.view = "slice";
    const to = clamp(plane, 0, this.item.shape[0] - 1);
    if (to !== this.plane) this.direction = Math.sign(to - this.plane);
    this.plane = to;
    this.draw();
  }

  turn(by) {
    this.turnTo(this.plane + by);
  }

  /** Show a place of the stack. */
  goTo(place) {
    if (place[0] !== null && this.item.voxel[0] > 0) {
      if (this.view === "whole" && this.item.shape[0] > 1) this.view = "slab";
      this.plane = clamp(Math.round(place[0] / this.item.voxel[0]), 0, this.item.shape[0] - 1);
    }
    if (this.port.scale < LEAST_CLOSE) this.port.close(place, CLOSE);
    else this.port.bring(place);
    this.draw();
  }

  /** Where the keyboard zooms: at what is chosen, where that is in view. */
  focus() {
    const { port, points, pointAt } = this;
    const place = this.mode === "path" ? points[pointAt] : this.chosen;
    const middle = [port.size[0] / 2, port.size[1] / 2];
    if (!place) return middle;
    const px = port.toPx([place[1], place[2]]);
    return px.every((v, k) => v >= 0 && v <= port.size[k]) ? px : middle;
  }

  /** Whether a place lies at another depth than is seen. */
  isFar([z]) {
    if (z === null || this.view === "whole" || !(this.item.voxel[0] > 0)) return false;
    const [first, last] = planesOf(this.view, this.plane, this.half, this.item.shape[0]);
    const near = Math.max(1, 0.6 / this.item.voxel[0]);
    const plane = z / this.item.voxel[0];
    return plane < first - near || plane > last + near;
  }

  // -- words

  fillMarks() {
    super.fillMarks();
    const { part, marks, current } = this;
    fillWords(part, marks, current);
    const busy = this.tracing ? "tracing the path…" : this.finding ? "finding spines…" : "";
    fillHand(part, {
      points: this.points,
      marks: this.hand.marks,
      stale: this.hand.stale || !!this.local,
      line: { length: this.line.fresh ? this.line.length : 0, flags: this.line.flags ?? "" },
      mode: this.mode,
      hiddenCount: this.hand.marks.length - this.seenMarks().length,
      status: marks[current].status,
      busy,
    });
    if (this.input?.drag) part.confirm.disabled = true;
  }

  /** After a finished step only. */
  speak() {
    const { part, item, marks, current, points, hand } = this;
    const mark = this.chosenMark();
    const chosen = mark ? `Chosen: ${mark.class}, ${mark.origin}, plane ${Math.round(mark.z / (item.voxel[0] || 1)) + 1}. ` : "";
    const spines = hand.marks.filter((one) => one.origin !== "removed").length;
    part.live.textContent =
      `${item.code}, ${marks[current].status === "proposed" ? "not traced" : marks[current].status}, ${points.length} points, ` +
      `${spines} spines. ${chosen}${part.progress.textContent}.`;
  }

  // -- the picture

  spec(plane) {
    const { box, step } = partOf(this.item.shape, this.port, MOST_PIXELS);
    return { index: this.current, dark: this.item.dark, planes: planesOf(this.view, plane, this.half, this.item.shape[0]), box, step };
  }

  /** The frame in view, or what is nearest to it while it is on its way; its neighbours are fetched ahead. */
  frameNow() {
    const spec = this.spec(this.plane);
    const frame = this.frames.get(spec);
    const count = this.item.shape[0];
    const bytes = ((spec.box[1] - spec.box[0]) * (spec.box[3] - spec.box[2])) / spec.step ** 2;
    const ahead = [0, ...around(this.direction, reachAhead(bytes, count))].map((by) => this.plane + by);
    const planes = ahead.filter((plane) => plane >= 0 && plane < count);
    // A slab is made of its planes where they are here, so that it is planes that are fetched ahead.
    this.frames.want([...(frame ? [] : [spec]), ...planes.map((plane) => ({ ...spec, planes: [plane, plane] }))]);
    if (frame) this.last = frame;
    return frame ?? (this.last?.index === this.current ? this.last : null);
  }

  paint() {
    const { part, port, item } = this;
    const wide = part.plot.clientWidth;
    if (!wide) return;
    const tall = Math.round(clamp(wide * 0.6, 280, 470));
    const pen = this.pen(part.canvas, wide, tall);
    port.fit(wide, tall);
    if (this.toFrame && this.points.length > 1) {
      port.frame(this.points);
      this.toFrame = false;
    }
    this.colours ??= readColours(part.root, ["ground", "ink", "muted"]);
    const { levels, look } = this.opened ?? {};
    const table = levels && lookup(levels, look);
    const lookKey = look ? `${look.low} ${look.high} ${look.gamma}` : "";
    const frame = table ? this.frameNow() : null;
    paintFrame(pen, port, frame, frame && this.coloured.of(frame, table, lookKey));
    const marks = this.seenMarks();
    const { line, chosen, mode, hidden } = this;
    const isFar = (place) => this.isFar(place);
    paintShapes(pen, port, { points: this.points, line: line.line, fresh: line.fresh, marks, chosen, point: this.pointAt, mode, isFar, hidden });
    if (this.cross) paintCross(pen, port.size);
    const planes = frame?.planes ?? planesOf(this.view, this.plane, this.half, item.shape[0]);
    paintLegend(pen, port, this.depthWords(planes), this.colours.font);
    part.canvas.dataset.plane = frame ? planes.join("-") : "";
    fillTools(part, { mode, view: this.view, plane: this.plane, planes, item, look, levels, least: this.least });
    this.paintBelow(table, lookKey, marks);
  }

  depthWords([first, last]) {
    const { voxel, shape } = this.item;
    if (shape[0] === 1) return "one plane";
    const depth = (plane) => (plane * voxel[0]).toFixed(1);
    return first === last ? `plane ${first + 1} of ${shape[0]}, z ${depth(first)} µm` : `planes ${first + 1}–${last + 1}, z ${depth(first)}–${depth(last)} µm`;
  }

  paintBelow(table, lookKey, marks) {
    const { part, strip, line, chosen } = this;
    const shown = !!(table && line.strip?.length);
    part.stripBox.hidden = !shown;
    part.classes.hidden = !shown || (!this.hand.marks.length && this.hand.stale);
    if (!shown) return;
    strip.colour(line, table, lookKey);
    strip.fit(line, part.stripBox.clientWidth);
    const mark = this.chosenMark();
    const at = mark && this.lying(mark);
    if (at && this.brought !== chosen) strip.bring(at[0]);
    this.brought = chosen;
    strip.paint(this.pen(part.strip, strip.wide, strip.height), line, { marks, lying: (one) => this.lying(one), chosen, colours: this.colours });
    const choose = (place) => {
      this.setMode("spines");
      this.choose(place);
    };
    fillGallery(part, { index: this.current, marks: this.inOrder(marks), crops: this.crops, chosen, table, lookKey, choose });
  }
}

export default {
  render({ model, el }) {
    const view = new DendriteView(model, el);
    return () => view.remove();
  },
};
