// Keyboard, mouse and fields of the lanes picker: what each key, drag and wheel step asks of the view.

import { HANDLES } from "./lanes_page.js";
import { frames, numberAt } from "./lanes_plot.js";
import { boxesOf, centreAt, withEdge, withHeight, withLane, withRows, withWidth } from "./lanes_shape.js";

const NEAR = 5; // CSS pixels within which an edge is taken hold of

export class LanesInput {
  /** Listen on the page of `picker`, a LanesView. */
  constructor(picker) {
    this.picker = picker;
    this.drag = null; // what is being dragged, from where
    this.hover = null; // where the pointer is on the canvas
    const { part } = picker;
    const on = (node, name, what, options) => node.addEventListener(name, what, options);
    on(part.canvas, "pointerdown", (event) => this.grab(event));
    on(part.plot, "pointermove", (event) => this.point(event));
    on(part.plot, "pointerup", (event) => this.release(event));
    on(part.plot, "pointercancel", () => this.dropDrag());
    on(part.plot, "pointerleave", () => {
      this.hover = null;
      picker.draw();
    });
    on(part.plot, "dblclick", () => picker.fit());
    on(part.plot, "wheel", (event) => this.wheel(event), { passive: false });
    on(part.zoomIn, "click", () => picker.zoom(1.5));
    on(part.zoomOut, "click", () => picker.zoom(1 / 1.5));
    on(part.fit, "click", () => picker.fit());
    on(part.fewer, "click", () => picker.propose(picker.lanes.lanes.length - 1));
    on(part.more, "click", () => picker.propose(picker.lanes.lanes.length + 1));
    on(part.again, "click", () => picker.propose(picker.lanes.lanes.length));
    on(part.same, "click", () => picker.takeLanes());
    on(part.excludeLane, "click", () => picker.excludeLane());
    for (const field of [part.count, part.width, part.tall]) on(field, "change", () => this.typed(field));
    on(part.polarity, "change", () => {
      picker.set({ polarity: part.polarity.value });
      picker.commit();
    });
    for (const name of ["low", "high", "gamma", "inverted", "marked"]) on(part[name], "input", () => this.look(name));
  }

  // -- the keyboard

  key(event) {
    const { picker } = this;
    picker.part.root.toggleAttribute("data-keys", true);
    if (event.target.type === "number") return void (event.key === "Enter" && this.typed(event.target));
    if (/^Arrow|^Home|^End|^Page/.test(event.key) && /^(SELECT|INPUT)$/.test(event.target.tagName)) return;
    const what = event.target.dataset?.edge ?? "window";
    const by = event.shiftKey ? 10 : 1;
    const { lane } = picker;
    const [, axis] = HANDLES[what];
    const rows = (step) => () => this.move(axis === 0 ? what : "window", lane, axis === 0 ? step : 0);
    // Up makes a window taller, and right makes a lane wider; a handle along one axis leaves the other to the lanes.
    const columns = (step) => () => (axis === 1 ? this.move(what, lane, step) : picker.choose(lane + Math.sign(step)));
    const grows = what === "height" ? -1 : 1;
    picker.press(event, {
      ArrowUp: rows(-by * grows),
      ArrowDown: rows(by * grows),
      ArrowLeft: columns(-by),
      ArrowRight: columns(by),
      ",": () => picker.choose(lane - 1),
      ".": () => picker.choose(lane + 1),
      c: () => picker.takeLanes(),
      l: () => picker.excludeLane(),
      "+": () => picker.zoom(1.25),
      "=": () => picker.zoom(1.25),
      "-": () => picker.zoom(0.8),
      0: () => picker.fit(),
      a: () => picker.pan(-0.1, 0),
      d: () => picker.pan(0.1, 0),
      w: () => picker.pan(0, -0.1),
      s: () => picker.pan(0, 0.1),
      i: () => picker.setLook({ inverted: !picker.look.inverted }),
      m: () => picker.setLook({ marked: !picker.look.marked }),
      Escape: () => this.dropDrag(),
    });
  }

  /** Move a handle by pixels along its axis, from the shape given; `alone`: in this lane only. */
  move(what, lane, by, from = this.picker.shape, alone = false) {
    const { picker } = this;
    const { lanes, band } = from;
    const { shape } = picker.item;
    const moved = {
      window: () => ({ band: withRows(band, by, shape, alone ? lane : null) }),
      centre: () => ({ band: withRows(band, by, shape, lane) }),
      height: () => ({ band: withHeight(band, by, shape) }),
      breadth: () => ({ lanes: withWidth(lanes, by, shape, alone ? lane : null) }),
      lane: () => ({ lanes: withLane(lanes, lane, by, by, shape) }),
      top: () => ({ lanes: withLane(lanes, lane, by, 0, shape) }),
      bottom: () => ({ lanes: withLane(lanes, lane, 0, by, shape) }),
    };
    const edge = /^roi(\d)$/.exec(what);
    picker.set(edge ? { lanes: withEdge(lanes, Number(edge[1]), by, shape) } : moved[what]());
  }

  typed(field) {
    const { picker } = this;
    const { part, lanes, band, item, lane } = picker;
    if (field.value === field.dataset.shown) return;
    const value = field.valueAsNumber;
    field.dataset.shown = field.value;
    const most = { count: 99, width: item.shape[1], tall: item.shape[0] };
    const name = Object.keys(most).find((one) => part[one] === field);
    if (!(value >= 1 && value <= most[name])) return picker.complain(`A number from 1 to ${most[name]} is expected.`);
    if (name === "count") return picker.propose(Math.round(value));
    if (name === "width") picker.set({ lanes: withWidth(lanes, value / 2 - lanes.lanes[lane][2], item.shape) });
    else picker.set({ band: withHeight(band, value / 2 - band.half_height, item.shape) });
    picker.commit();
    picker.draw();
  }

  /** A slider or box of the display was moved; the two ends of the contrast keep apart. */
  look(name) {
    const { part, look } = this.picker;
    const value = Number(part[name].value);
    const share = (value / 1000) ** 2;
    if (name === "low") this.picker.setLook({ low: Math.min(share, look.high - 0.002) });
    else if (name === "high") this.picker.setLook({ high: Math.max(share, look.low + 0.002) });
    else if (name === "gamma") this.picker.setLook({ gamma: 2 ** ((value - 100) / 50) });
    else this.picker.setLook({ [name]: part[name].checked });
  }

  // -- the mouse

  pixel(event) {
    const box = this.picker.part.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** What lies under the pointer: [handle, lane, which way it grows]. */
  touched([px, py]) {
    const { lanes, band, view, size, lane } = this.picker;
    if (px > frames(size).image[0]) return ["view"];
    const [x, y] = [view.x + px / view.scale, view.y + py / view.scale];
    const near = NEAR / view.scale;
    const [top, bottom, left, right] = lanes.roi;
    const all = [lane, ...lanes.lanes.keys()]; // the current lane first
    for (const k of all) {
      for (const [end, name] of ["top", "bottom"].entries()) {
        const number = numberAt(this.picker, k, end);
        if (Math.abs(px - number.x) < 9 && Math.abs(py - number.y) < 9) return [number.grips ? name : "lane", k, 1];
      }
    }
    const boxes = boxesOf(lanes, band);
    for (const k of all) {
      const box = boxes[k];
      if (x < box.left - near || x > box.right + near || y < box.top - near || y > box.bottom + near) continue;
      // Edges are taken from outside of a small box, and from both sides of a large one.
      const inX = Math.min(near, (box.right - box.left) / 6);
      const inY = Math.min(near, (box.bottom - box.top) / 6);
      if (y < box.top + inY) return ["height", k, -1];
      if (y > box.bottom - inY) return ["height", k, 1];
      if (x < box.left + inX) return ["breadth", k, -1];
      if (x > box.right - inX) return ["breadth", k, 1];
      const dot = Math.min(near, (box.right - box.left) / 6, (box.bottom - box.top) / 6) + 2 / view.scale;
      if (k === lane && Math.hypot(x - box.x, y - box.y) < dot) return ["centre", k, 1];
      return ["window", k, 1];
    }
    if (y > top && y < bottom) for (const k of all) if (Math.abs(x - centreAt(lanes, k, y)) < near) return ["lane", k, 1];
    const inside = x > left - near && x < right + near && y > top - near && y < bottom + near;
    const edge = [y - top, y - bottom, x - left, x - right].findIndex((off) => Math.abs(off) < near);
    return inside && edge >= 0 ? [`roi${edge}`, null, 1] : ["view"];
  }

  grab(event) {
    if (event.button > 1) return;
    event.preventDefault();
    const { picker } = this;
    const { part } = picker;
    part.root.toggleAttribute("data-keys", false);
    const at = this.pixel(event);
    const [what, lane = null, way] = event.button === 1 ? ["view"] : this.touched(at);
    if (lane !== null) picker.choose(lane);
    (part[what] ?? part.canvas).focus({ preventScroll: true });
    part.plot.setPointerCapture(event.pointerId);
    this.drag = { what, way, at, shape: picker.shape, view: picker.view, alone: event.altKey };
    this.point(event);
  }

  point(event) {
    const { drag, picker } = this;
    const { canvas } = picker.part;
    this.hover = this.pixel(event);
    if (drag) this.pull(drag, this.hover);
    else {
      const [what] = this.touched(this.hover);
      const axis = HANDLES[what]?.[1];
      const cursor = what === "window" ? "grab" : { 0: "ns-resize", 1: "ew-resize" }[axis];
      canvas.style.cursor = cursor ?? "move";
    }
    picker.draw();
  }

  /** Move what is dragged to where the pointer is; a press without a move changes nothing. */
  pull({ what, way, at, shape, view, alone }, now) {
    if (now[0] === at[0] && now[1] === at[1]) return;
    const { picker } = this;
    const [dx, dy] = [0, 1].map((k) => (now[k] - at[k]) / view.scale);
    if (what === "view") picker.lookFrom(view, -dx, -dy);
    else this.move(what, picker.lane, way * (HANDLES[what][1] ? dx : dy), shape, alone);
  }

  release(event) {
    if (!this.drag) return;
    this.point(event);
    const { what, at } = this.drag;
    const still = Math.hypot(this.hover[0] - at[0], this.hover[1] - at[1]) < 3;
    this.drag = null;
    if (what === "view" && still) this.picker.chooseAt(at);
    this.picker.commit();
    this.picker.draw();
  }

  /** Give up a drag: everything as it was before it. */
  dropDrag() {
    if (!this.drag) return;
    const { shape, view } = this.drag;
    this.drag = null;
    this.picker.shape = shape;
    this.picker.lookFrom(view, 0, 0);
  }

  wheel(event) {
    if (!this.picker.takesWheel(event)) return;
    const step = event.deltaMode ? event.deltaY * 30 : event.deltaY;
    this.picker.zoom(Math.exp(-Math.max(-300, Math.min(300, step)) / 400), this.pixel(event));
  }
}
