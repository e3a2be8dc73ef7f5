// Keyboard, mouse and sliders of the dendrite picker: what each key, click, drag and wheel step asks of the view.

import { CLASSES } from "./dendrite_plot.js";
import { CLASS_KEY, valueAt } from "./dendrite_page.js";
import { markInStrip } from "./dendrite_strip.js";
import { nearestPlace, placeAt, placeOf } from "./dendrite_view.js";

const REACH = 12; // pixels around a point or mark that are its own
const STILL = 4; // a press that moves less is a click

export class DendriteInput {
  /** Listen on the page of `picker`, a DendriteView. */
  constructor(picker) {
    this.picker = picker;
    this.drag = null;
    this.turned = 0; // of the wheel, not yet a whole plane
    const { part } = picker;
    const on = (node, name, what, options) => node.addEventListener(name, what, options);
    on(part.canvas, "pointerdown", (event) => this.grab(event));
    on(part.canvas, "pointermove", (event) => this.point(event));
    on(part.canvas, "pointerup", (event) => this.release(event));
    on(part.canvas, "pointercancel", () => this.dropDrag());
    on(part.canvas, "wheel", (event) => this.wheel(event), { passive: false });
    on(part.strip, "pointerdown", (event) => this.pressStrip(event));
    on(part.strip, "wheel", (event) => this.scrollStrip(event), { passive: false });
    for (const name of ["path", "spines"]) on(part[`mode-${name}`], "click", () => picker.setMode(name));
    for (const name of ["slice", "slab", "whole"]) on(part[`view-${name}`], "click", () => picker.setView(name));
    for (const name of CLASSES) on(part[`class-${name}`].firstChild, "click", () => picker.reclass(name));
    on(part.plane, "input", () => picker.turnTo(part.plane.valueAsNumber));
    for (const name of ["low", "high"]) on(part[name], "input", () => this.contrast(name));
    on(part.gamma, "input", () => picker.setLook({ gamma: 2 ** ((part.gamma.valueAsNumber - 100) / 50) }));
    on(part.least, "input", () => picker.filter(part.least.valueAsNumber / 100));
    on(part.fit, "click", () => picker.whole());
    on(part.clear, "click", () => picker.clearPath());
  }

  contrast(name) {
    const { picker } = this;
    const { levels } = picker.opened ?? {};
    if (!levels) return;
    const least = (levels[255] - levels[0]) / 500;
    const value = valueAt(levels, picker.part[name].valueAsNumber / 1000);
    const { low, high } = picker.look;
    if (name === "low") picker.setLook({ low: value, high: Math.max(high, value + least) });
    else picker.setLook({ high: Math.max(value, levels[0] + least), low: Math.min(low, value - least) });
  }

  // -- the keyboard

  key(event) {
    const { picker } = this;
    const slides = event.target.type === "range" && /^(Arrow|Home|End|Page)/.test(event.key);
    if (slides) return event.stopPropagation();
    const { port } = picker;
    const by = event.shiftKey;
    const pan = (dx, dy) => {
      port.pan(dx * port.size[0], dy * port.size[1]);
      picker.cross = true;
    };
    const middle = () => [port.size[0] / 2, port.size[1] / 2];
    const act = {
      ArrowUp: () => (by ? pan(0, 0.08) : picker.turn(-1)),
      ArrowDown: () => (by ? pan(0, -0.08) : picker.turn(1)),
      PageUp: () => picker.turn(-5),
      PageDown: () => picker.turn(5),
      ArrowLeft: () => (by ? pan(0.08, 0) : picker.step(-1)),
      ArrowRight: () => (by ? pan(-0.08, 0) : picker.step(1)),
      1: () => picker.setMode("path"),
      2: () => picker.setMode("spines"),
      a: () => this.put(middle()),
      v: () => picker.setView({ slice: "slab", slab: "whole", whole: "slice" }[picker.view]),
      "[": () => picker.thicken(-1),
      "]": () => picker.thicken(1),
      ",": () => picker.brighten(1.15),
      ".": () => picker.brighten(1 / 1.15),
      "+": () => port.zoom(1.25, picker.focus()),
      "=": () => port.zoom(1.25, picker.focus()),
      "-": () => port.zoom(0.8, picker.focus()),
      0: () => picker.whole(),
      h: () => (picker.hidden = !picker.hidden),
      i: () => picker.nudge(-1, 0),
      k: () => picker.nudge(1, 0),
      j: () => picker.nudge(0, -1),
      l: () => picker.nudge(0, 1),
      z: () => picker.toPlane(),
      Delete: () => picker.removeChosen(),
      Backspace: () => picker.removeChosen(),
      Escape: () => (this.drag ? this.dropDrag() : picker.choose(null)),
      ...Object.fromEntries(CLASSES.map((name) => [CLASS_KEY[name].toLowerCase(), () => picker.reclass(name)])),
    };
    picker.press(event, act);
  }

  // -- the mouse

  pixel(event, node = this.picker.part.canvas) {
    const box = node.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** What lies under the pointer: a point of the path or a spine, by its place. */
  touched(px) {
    const { picker } = this;
    if (picker.hidden) return null;
    const places = picker.mode === "path" ? picker.points : picker.seenMarks().map(placeOf);
    const k = nearestPlace(picker.port, places, px, REACH);
    return k < 0 ? null : { k, place: places[k] };
  }

  grab(event) {
    if (event.button !== 0 && event.button !== 1) return;
    event.preventDefault();
    const { picker } = this;
    const { canvas } = picker.part;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    picker.cross = false;
    const at = this.pixel(event);
    const what = event.button === 0 ? this.touched(at) : null;
    this.drag = { at, last: at, what, moving: false, panning: event.button === 1 };
    if (what) picker.chooseQuietly(what);
    picker.draw();
  }

  point(event) {
    const { drag, picker } = this;
    const px = this.pixel(event);
    if (!drag) {
      picker.part.canvas.style.cursor = this.touched(px) ? "grab" : "crosshair";
      return;
    }
    if (!drag.moving && Math.hypot(px[0] - drag.at[0], px[1] - drag.at[1]) < STILL) return;
    drag.moving = true;
    picker.part.canvas.style.cursor = "grabbing";
    if (drag.what) picker.carry(drag.what, px);
    else picker.port.pan(px[0] - drag.last[0], px[1] - drag.last[1]);
    drag.last = px;
    picker.draw();
  }

  release(event) {
    const { drag, picker } = this;
    if (!drag) return;
    this.drag = null;
    picker.part.canvas.style.cursor = "crosshair";
    if (drag.moving) {
      if (drag.what) picker.letGo(drag.what);
    } else if (drag.what) {
      if (event.altKey) picker.removeChosen();
      else if (picker.chosenMark()?.origin === "removed") picker.removeChosen();
    } else if (!drag.panning) this.put(drag.at);
    picker.draw();
  }

  /** A point or a spine where the pointer is. */
  put(px) {
    const { picker } = this;
    const place = picker.port.toUm(px);
    if (!picker.port.holds(place)) return;
    picker.put(place);
  }

  /** Give up a drag: everything as it was before it. */
  dropDrag() {
    this.drag = null;
    this.picker.uncarry();
    this.picker.draw();
  }

  wheel(event) {
    const { picker } = this;
    if (!picker.takesWheel(event)) return;
    const step = event.deltaMode ? event.deltaY * 30 : event.deltaY;
    if (event.ctrlKey || event.metaKey || picker.item.shape[0] === 1) {
      picker.port.zoom(Math.exp(-step / 400), this.pixel(event));
      picker.draw();
      return;
    }
    // A notch of a mouse wheel is one plane; a touchpad sends many small steps.
    const notch = event.deltaMode || Math.abs(event.deltaY) >= 50;
    this.turned += notch ? Math.sign(step) : step / 40;
    const planes = Math.trunc(this.turned);
    this.turned -= planes;
    if (planes) picker.turn(planes);
  }

  // -- the strip

  pressStrip(event) {
    const { picker } = this;
    const { strip, line } = picker;
    picker.part.canvas.focus({ preventScroll: true });
    event.preventDefault();
    if (!line.strip?.length) return;
    const px = this.pixel(event, picker.part.strip);
    const marks = picker.seenMarks();
    const k = markInStrip(strip, marks, (mark) => picker.lying(mark), px);
    if (k >= 0) {
      picker.setMode("spines");
      picker.choose(placeOf(marks[k]));
    } else picker.goTo(placeAt(line.line, ...strip.toUm(px)));
  }

  scrollStrip(event) {
    const { picker } = this;
    const { strip } = picker;
    const isLonger = picker.line.strip?.length && strip.length * strip.scale > strip.wide + 1;
    if (!isLonger || !picker.takesWheel(event)) return;
    strip.scroll(event.deltaX || event.deltaY);
    picker.draw();
  }
}
