// The trace picker of a whole study: a list of traces, the current one on a canvas, its window as a span to drag.

import { fitLine } from "./axes.js";
import { TraceInput } from "./trace_input.js";
import { build, fillSpoken, fillTrace, fillWindow } from "./trace_page.js";
import { View, paintTrace } from "./trace_plot.js";
import { readColours } from "./page.js";
import { PickerView, newName } from "./view.js";

const COLOURS = ["ground", "ink", "muted", "grid", "blank", "span", "edge", "line0", "line1", "line2", "line3"];

class TraceView extends PickerView {
  constructor(model, el) {
    const name = newName();
    const items = model.get("_items").map((item, i) => unpack(item, model.get("_traces")[i]));
    super(model, build(name), items, name);
    this.view = new View(Math.max(20, ...items.map((item) => 4 * item.proposal[1])));
    this.input = new TraceInput(this);
    this.start(el);
  }

  shapeOf(mark) {
    return { window: [...mark.window] };
  }

  get window() {
    return this.shape.window;
  }

  set window(value) {
    this.shape = { window: value };
  }

  open() {
    this.view.take(this.item);
    fillTrace(this.part, this.item);
  }

  reset() {
    this.window = [...this.item.proposal];
    this.commit();
    this.draw();
  }

  fillMarks() {
    super.fillMarks();
    this.part.exclude.textContent = this.marks[this.current].reason ? "Include" : "Exclude…";
  }

  /** After a finished step only. */
  speak() {
    fillSpoken(this.part, this.item, this.marks[this.current], this.window);
  }

  paint() {
    const { part, item, view, window, input } = this;
    const width = part.plot.clientWidth;
    if (!width) return;
    const height = Math.round(Math.max(260, Math.min(430, width * 0.5)));
    const pen = this.pen(part.canvas, width, height);
    view.size = [width, height];
    this.colours ??= readColours(part.root, COLOURS);
    const lines = item.traces.map((trace) => fitLine(item.t, trace, window));
    const excluded = this.marks[this.current].status === "excluded";
    paintTrace(pen, view, { window, lines, hover: input.drag ? null : input.hover, colours: this.colours, excluded });
    fillWindow(part, view, window, lines);
  }
}

/** Times and traces of one item out of the bytes that Python packed: float64 times, then float32 values label by label. */
function unpack(item, view) {
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  const t = new Float64Array(bytes, 0, item.n);
  const traces = item.labels.map((_, k) => new Float32Array(bytes, 8 * item.n + 4 * item.n * k, item.n));
  return { ...item, label: item.pathway, t, traces };
}

export default {
  render({ model, el }) {
    const view = new TraceView(model, el);
    return () => view.remove();
  },
};
