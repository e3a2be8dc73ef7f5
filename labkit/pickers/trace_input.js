// Keyboard, mouse and number fields of the trace picker: what each key, drag and wheel step asks of the view.

import { fitLine, interval, nearest, shifted, stretched, tell } from "./axes.js";
import { EDGE } from "./trace_plot.js";

export class TraceInput {
  /** Listen on the page of `picker`, a TraceView. */
  constructor(picker) {
    this.picker = picker;
    this.drag = null; // what is being dragged, from where
    this.hover = null; // where the pointer is on the canvas
    const { plot, canvas, start, end, from, to } = picker.part;
    const on = (node, name, what, options) => node.addEventListener(name, what, options);
    on(canvas, "pointerdown", (event) => this.grab(event, this.touched(event)));
    on(start, "pointerdown", (event) => this.grab(event, "start"));
    on(end, "pointerdown", (event) => this.grab(event, "end"));
    on(plot, "pointermove", (event) => this.point(event));
    on(plot, "pointerup", (event) => this.release(event));
    on(plot, "pointercancel", () => this.dropDrag());
    on(plot, "pointerleave", () => {
      this.hover = null;
      picker.draw();
    });
    on(plot, "dblclick", () => {
      picker.view.whole();
      picker.draw();
    });
    on(plot, "wheel", (event) => this.wheel(event), { passive: false });
    on(from, "change", () => this.typed());
    on(to, "change", () => this.typed());
  }

  // -- the keyboard

  key(event) {
    const { picker } = this;
    const { view } = picker;
    if (event.target.type === "number") return void (event.key === "Enter" && this.typed());
    const edge = event.target.dataset?.edge;
    const by = event.shiftKey ? 10 : 1;
    const moves = (samples) =>
      edge === "start" ? this.stretch(samples, 0) : edge === "end" ? this.stretch(0, samples) : this.shift(samples);
    picker.press(event, {
      ArrowLeft: () => moves(-by),
      ArrowRight: () => moves(by),
      ArrowUp: () => (edge ? moves(by) : this.stretch(-by, by)),
      ArrowDown: () => (edge ? moves(-by) : this.stretch(by, -by)),
      "[": () => this.stretch(-1, 0),
      "]": () => this.stretch(1, 0),
      "{": () => this.stretch(0, -1),
      "}": () => this.stretch(0, 1),
      0: () => picker.reset(),
      "+": () => view.zoom(1.25, this.middle()),
      "=": () => view.zoom(1.25, this.middle()),
      "-": () => view.zoom(0.8, this.middle()),
      a: () => view.pan(-0.1, 0),
      d: () => view.pan(0.1, 0),
      w: () => view.pan(0, 0.1),
      s: () => view.pan(0, -0.1),
      f: () => view.whole(),
      Escape: () => this.dropDrag(),
    });
  }

  shift(samples) {
    const { picker } = this;
    picker.window = shifted(picker.window, samples * interval(picker.item.t), picker.view.limits());
  }

  stretch(start, end) {
    const { picker } = this;
    const dt = interval(picker.item.t);
    picker.window = stretched(picker.window, start * dt, end * dt, picker.view.limits(), 2 * dt);
  }

  /** Time and value in the middle of the window. */
  middle() {
    const { item, window } = this.picker;
    const time = (window[0] + window[1]) / 2;
    const line = fitLine(item.t, item.traces[0], window);
    return [time, Number.isFinite(line.slope) ? line.intercept + line.slope * time : 0];
  }

  /** The numbers typed below the trace become the window. */
  typed() {
    const { picker } = this;
    const fields = [picker.part.from, picker.part.to];
    const [low, high] = picker.view.limits();
    // An edge whose number was left alone keeps its digits beyond the ones shown.
    const window = fields.map((field, k) => (field.value === field.dataset.shown ? picker.window[k] : field.valueAsNumber));
    const least = 2 * interval(picker.item.t) * (1 - 1e-6);
    if (window[0] >= low && window[1] <= high && window[1] - window[0] >= least) {
      for (const field of fields) field.dataset.shown = field.value;
      picker.window = window;
      picker.commit();
    } else picker.complain(`A window lies between ${tell(low, 2)} and ${tell(high, 2)} ms and holds three samples or more.`);
    picker.draw();
  }

  // -- the mouse

  /** What lies under the pointer. */
  touched(event) {
    const { view, window } = this.picker;
    const [px, py] = this.pixel(event);
    if (px < EDGE.left) return "y axis";
    if (py > view.size[1] - EDGE.bottom) return "x axis";
    const time = view.time(px);
    return time >= window[0] && time <= window[1] ? "window" : "view";
  }

  pixel(event) {
    const box = this.picker.part.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  grab(event, what) {
    if (event.button !== 0) return;
    event.preventDefault();
    const { part, view, window } = this.picker;
    const { canvas, plot, start, end } = part;
    ({ start, end }[what] ?? canvas).focus({ preventScroll: true });
    plot.setPointerCapture(event.pointerId);
    this.drag = { what, at: this.pixel(event), window, range: view.range() };
    this.point(event);
  }

  point(event) {
    const { drag, picker } = this;
    const { canvas } = picker.part;
    this.hover = this.pixel(event);
    if (drag) this.pull(drag, this.hover);
    else {
      const what = event.target === canvas ? this.touched(event) : "";
      canvas.style.cursor = { window: "grab", view: "crosshair", "x axis": "ew-resize", "y axis": "ns-resize" }[what] ?? "";
    }
    picker.draw();
  }

  /** Move what is dragged to where the pointer is; a press without a move changes nothing. */
  pull({ what, at, window, range }, now) {
    if (now[0] === at[0] && now[1] === at[1]) return;
    const { picker } = this;
    const { view } = picker;
    const { t } = picker.item;
    const [partX, partY] = [0, 1].map((k) => (now[k] - at[k]) / view.inner[k]);
    const dx = partX * (range.x[1] - range.x[0]);
    const dt = interval(t);
    const onto = (time) => t[nearest(t, time + dx)] - time;
    if (what === "window") picker.window = shifted(window, Math.round(dx / dt) * dt, view.limits());
    else if (what === "start") picker.window = stretched(window, onto(window[0]), 0, view.limits(), 2 * dt);
    else if (what === "end") picker.window = stretched(window, 0, onto(window[1]), view.limits(), 2 * dt);
    else view.pan(what === "y axis" ? 0 : -partX, what === "x axis" ? 0 : partY, range);
    picker.part.canvas.style.cursor = "grabbing";
  }

  release(event) {
    if (!this.drag) return;
    this.point(event);
    this.drag = null;
    this.picker.part.canvas.style.cursor = "";
    this.picker.commit();
    this.picker.draw();
  }

  /** Give up a drag: everything as it was before it. */
  dropDrag() {
    if (!this.drag) return;
    this.picker.window = this.drag.window;
    this.drag = null;
    this.picker.draw();
  }

  wheel(event) {
    const { picker } = this;
    const { view } = picker;
    if (!picker.takesWheel(event)) return;
    const [px, py] = this.pixel(event);
    const axes = { "x axis": "x", "y axis": "y" }[this.touched(event)] ?? "xy";
    const step = event.deltaMode ? event.deltaY * 30 : event.deltaY;
    view.zoom(Math.exp(-Math.max(-300, Math.min(300, step)) / 500), [view.time(px), view.value(py)], axes);
    picker.draw();
  }
}
