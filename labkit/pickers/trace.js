// The trace picker of a whole study: a list of traces, the current one on a canvas, its window as a span to drag.
//
// Zoom, the current trace and a drag in progress live here only. A finished move, a confirmation or an exclusion goes to
// Python as one message with a number; Python answers with the state of every trace and the number it has dealt with.
// Until the answer to the last message is here, the windows shown are this page's own, so an old echo never undoes a drag.

import { fitLine } from "./axes.js";
import { TraceInput } from "./trace_input.js";
import { build, fillList, fillMarks, fillSpoken, fillTrace, fillWindow, make } from "./trace_page.js";
import { View, paintTrace, readColours } from "./trace_plot.js";

let views = 0;

class TraceView {
  constructor(model, el) {
    this.model = model;
    this.name = `v${Date.now().toString(36)}${++views}`;
    this.part = build(this.name);
    this.items = model.get("_items").map((item, i) => unpack(item, model.get("_traces")[i]));
    this.marks = model.get("_state").items;
    this.windows = this.marks.map((mark) => [...mark.window]);
    this.sent = 0;
    this.told = this.windows.map((window) => [...window]);
    const todo = this.marks.findIndex((mark) => mark.status === "proposed" || mark.status === "moved");
    this.current = Math.max(0, todo);
    this.view = new View(Math.max(20, ...this.items.map((item) => 4 * item.proposal[1])));
    const { root, plot } = this.part;
    el.append(make("div", { class: "lk-box" }, root));
    fillList(this.part, this.items, this.name);
    this.input = new TraceInput(this);
    this.onState = () => this.receive(model.get("_state"));
    model.on("change:_state", this.onState);
    this.watchSize = new ResizeObserver(() => this.draw());
    this.watchSize.observe(plot);
    for (const end of ["transitionend", "transitioncancel"])
      root.addEventListener(end, (event) => event.target === root && this.followTheme());
    this.show(this.current, { silent: true });
  }

  // -- which trace

  get item() {
    return this.items[this.current];
  }

  get window() {
    return this.windows[this.current];
  }

  set window(value) {
    this.windows[this.current] = value;
  }

  show(index, { silent = false } = {}) {
    this.commit();
    this.current = Math.max(0, Math.min(this.items.length - 1, index));
    this.view.take(this.item);
    this.input.hover = null;
    this.closeForm();
    fillTrace(this.part, this.item, this.current);
    this.fillMarks();
    this.draw();
    if (!silent) this.speak();
  }

  // -- talking with Python

  send(message) {
    this.sent += 1;
    this.model.send({ index: this.current, ...message, view: this.name, number: this.sent });
    clearTimeout(this.patience);
    this.patience = setTimeout(() => {
      this.waiting = true;
      this.fillMarks();
    }, 4000);
  }

  /** Tell Python of a window that was moved here and is now let go. */
  commit() {
    if (!this.isMoving()) return;
    const [a, b] = this.window;
    this.told[this.current] = [a, b];
    this.send({ do: "move", window: [a, b] });
    this.speak();
  }

  isMoving() {
    const [told, now] = [this.told[this.current], this.window];
    return now[0] !== told[0] || now[1] !== told[1];
  }

  /** What Python says about every trace. */
  receive(state) {
    this.marks = state.items;
    if (state.view === this.name ? state.number >= this.sent : !this.waitsForAnswer()) {
      clearTimeout(this.patience);
      this.answered = this.sent;
      this.waiting = false;
      for (const [i, mark] of this.marks.entries()) {
        // A window that is being moved right now is this page's until it is let go.
        if (i === this.current && (this.input.drag || this.isMoving())) continue;
        this.windows[i] = [...mark.window];
        this.told[i] = [...mark.window];
      }
      this.complaint = state.error;
      if (state.view === this.name && state.show !== null && state.show !== this.current) return this.show(state.show);
    }
    this.fillMarks();
    this.draw();
    if (state.view === this.name && !this.input.drag) this.speak();
  }

  waitsForAnswer() {
    return this.sent > (this.answered ?? 0);
  }

  // -- what a person does

  confirm() {
    const last = this.current === this.items.length - 1;
    this.told[this.current] = [...this.window];
    this.send({ do: "confirm", window: [...this.window] });
    const open = this.marks.findIndex((mark, i) => i !== this.current && (mark.status === "proposed" || mark.status === "moved"));
    if (!last) this.show(this.current + 1);
    else if (open >= 0) this.show(open);
    else this.speak();
  }

  exclude() {
    this.commit();
    const mark = this.marks[this.current];
    if (mark.status === "excluded") return this.send({ do: "include" });
    const { form, ask, reason } = this.part;
    ask.textContent = `Why is ${this.item.excludes} excluded?`;
    form.hidden = false;
    reason.value = "";
    reason.focus();
  }

  giveReason() {
    const reason = this.part.reason.value.trim();
    if (!reason) return this.part.reason.focus();
    this.closeForm();
    this.send({ do: "exclude", reason });
  }

  closeForm() {
    const { form, canvas, root } = this.part;
    if (form.hidden) return;
    const inside = form.contains(root.getRootNode().activeElement);
    form.hidden = true;
    if (inside) canvas.focus({ preventScroll: true });
  }

  undo() {
    this.commit();
    this.send({ do: "undo" });
  }

  reset() {
    this.window = [...this.item.proposal];
    this.commit();
    this.draw();
  }

  complain(sentence) {
    this.complaint = sentence;
    this.fillMarks();
  }

  // -- words

  fillMarks() {
    const { part, items, marks, current } = this;
    fillMarks(part, items, marks, current);
    part.undo.disabled = !this.model.get("_state").undo;
    part.error.textContent = this.waiting
      ? "Python has not answered yet, so the last step is not saved; is the kernel busy or stopped?"
      : this.complaint || marks[current].problem || "";
  }

  /** After a finished step only. */
  speak() {
    fillSpoken(this.part, this.item, this.marks[this.current], this.window);
  }

  // -- the picture

  /** Another theme is in force. JupyterLab hides its outputs for a moment while it changes, so it is drawn twice. */
  followTheme() {
    this.colours = readColours(this.part.root);
    this.draw();
    clearTimeout(this.again);
    this.again = setTimeout(() => {
      this.colours = readColours(this.part.root);
      this.draw();
    }, 400);
  }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const { part, item, view, window, input } = this;
    const { canvas } = part;
    const width = part.plot.clientWidth;
    if (!width) return;
    const height = Math.round(Math.max(260, Math.min(430, width * 0.5)));
    const ratio = globalThis.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    view.size = [width, height];
    this.colours ??= readColours(part.root);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const lines = item.traces.map((trace) => fitLine(item.t, trace, window));
    const excluded = this.marks[this.current].status === "excluded";
    paintTrace(pen, view, { window, lines, hover: input.drag ? null : input.hover, colours: this.colours, excluded });
    fillWindow(part, view, window, lines);
  }

  remove() {
    this.commit();
    this.model.off("change:_state", this.onState);
    this.input.remove();
    this.watchSize.disconnect();
    clearTimeout(this.patience);
    clearTimeout(this.again);
    cancelAnimationFrame(this.frame);
    this.part.root.parentElement.remove();
  }
}

/** Times and traces of one item out of the bytes that Python packed: float64 times, then float32 values label by label. */
function unpack(item, view) {
  const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  const t = new Float64Array(bytes, 0, item.n);
  const traces = item.labels.map((_, k) => new Float32Array(bytes, 8 * item.n + 4 * item.n * k, item.n));
  return { ...item, t, traces };
}

export default {
  render({ model, el }) {
    const view = new TraceView(model, el);
    return () => view.remove();
  },
};
