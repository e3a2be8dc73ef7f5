// The trace picker of a whole study: a list of traces, the current one on a canvas, its window as a span to drag.
//
// Zoom, the current trace and a drag in progress live here only. A finished move, a confirmation or an exclusion goes to
// Python as one message with a number; Python answers with the state of every trace and the number it has dealt with.
// Until the answer to the last message is here, the windows shown are this page's own, so an old echo never undoes a drag.

import { fitLine, interval, nearest, shifted, stretched, tell } from "./axes.js";
import { build, make, markOf } from "./trace_page.js";
import { EDGE, View, paintTrace, readColours } from "./trace_plot.js";

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
    this.drag = null;
    this.hover = null;
    el.append(make("div", { class: "lk-box" }, this.part.root));
    this.fillList();
    this.listen();
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
    this.hover = null;
    this.closeForm();
    const { part, item } = this;
    part.title.textContent = `${item.code} · ${item.pathway}`;
    part.canvas.setAttribute("aria-label", `Mean traces of ${item.code}, pathway ${item.pathway}. Arrow keys move the window.`);
    part.legend.replaceChildren(
      ...item.labels.map((label, k) =>
        make("span", { class: "lk-key" }, make("span", { class: `lk-line lk-line${k % 4}` }), make("span", { text: label }), make("output", {})),
      ),
    );
    for (const [i, row] of [...part.list.children].entries()) row.setAttribute("aria-selected", String(i === this.current));
    const row = part.list.children[this.current];
    part.list.setAttribute("aria-activedescendant", row.id);
    const above = row.offsetTop - part.list.scrollTop;
    if (above < 0 || above + row.offsetHeight > part.list.clientHeight)
      part.list.scrollTop = row.offsetTop - part.list.clientHeight / 2;
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
        if (i === this.current && (this.drag || this.isMoving())) continue;
        this.windows[i] = [...mark.window];
        this.told[i] = [...mark.window];
      }
      this.complaint = state.error;
      if (state.view === this.name && state.show !== null && state.show !== this.current) return this.show(state.show);
    }
    this.fillMarks();
    this.draw();
    if (state.view === this.name && !this.drag) this.speak();
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

  shift(samples) {
    this.window = shifted(this.window, samples * interval(this.item.t), this.view.limits());
    this.draw();
  }

  stretch(start, end) {
    const dt = interval(this.item.t);
    this.window = stretched(this.window, start * dt, end * dt, this.view.limits(), 2 * dt);
    this.draw();
  }

  /** Time and value in the middle of the window. */
  middle() {
    const time = (this.window[0] + this.window[1]) / 2;
    const line = fitLine(this.item.t, this.item.traces[0], this.window);
    return [time, Number.isFinite(line.slope) ? line.intercept + line.slope * time : 0];
  }

  key(event) {
    const from = event.target;
    if (from.tagName === "INPUT") {
      if (event.key === "Escape") this.closeForm();
      else if (event.key === "Enter") {
        // A form inside a notebook's output is not submitted by Enter everywhere.
        event.preventDefault();
        if (from.type === "number") this.typed();
        else this.giveReason();
      }
      return;
    }
    const edge = from.dataset?.edge;
    const by = event.shiftKey ? 10 : 1;
    const inList = from === this.part.list;
    const press = { Enter: " ", " ": " " }[event.key] && /^(BUTTON|SUMMARY)$/.test(from.tagName);
    const command = event.ctrlKey || event.metaKey;
    const moves = (samples) =>
      edge === "start" ? this.stretch(samples, 0) : edge === "end" ? this.stretch(0, samples) : this.shift(samples);
    const act = {
      ArrowLeft: () => moves(-by),
      ArrowRight: () => moves(by),
      ArrowUp: () => (inList ? this.show(this.current - 1) : edge ? moves(by) : this.stretch(-by, by)),
      ArrowDown: () => (inList ? this.show(this.current + 1) : edge ? moves(-by) : this.stretch(by, -by)),
      "[": () => this.stretch(-1, 0),
      "]": () => this.stretch(1, 0),
      "{": () => this.stretch(0, -1),
      "}": () => this.stretch(0, 1),
      Enter: () => event.shiftKey || this.confirm(),
      n: () => this.show(this.current + 1),
      p: () => this.show(this.current - 1),
      PageDown: () => this.show(this.current + 1),
      PageUp: () => this.show(this.current - 1),
      Home: () => inList && this.show(0),
      End: () => inList && this.show(this.items.length - 1),
      x: () => this.exclude(),
      u: () => this.undo(),
      r: () => this.reset(),
      0: () => this.reset(),
      "+": () => this.view.zoom(1.25, this.middle()),
      "=": () => this.view.zoom(1.25, this.middle()),
      "-": () => this.view.zoom(0.8, this.middle()),
      a: () => this.view.pan(-0.1, 0),
      d: () => this.view.pan(0.1, 0),
      w: () => this.view.pan(0, 0.1),
      s: () => this.view.pan(0, -0.1),
      f: () => this.view.whole(),
      Escape: () => this.dropDrag(),
    };
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const done = command ? (name === "z" ? () => this.undo() : null) : press ? null : act[name];
    if (!done || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    done();
    this.draw();
  }

  /** The numbers typed below the trace become the window. */
  typed() {
    const { from, to } = this.part;
    const [low, high] = this.view.limits();
    // An edge whose number was left alone keeps its digits beyond the ones shown.
    const window = [from, to].map((field, k) => (field.value === field.dataset.shown ? this.window[k] : field.valueAsNumber));
    const least = 2 * interval(this.item.t) * (1 - 1e-6);
    if (window[0] >= low && window[1] <= high && window[1] - window[0] >= least) {
      this.window = window;
      this.typedDone = true;
      this.commit();
    } else this.complain(`A window lies between ${tell(low, 2)} and ${tell(high, 2)} ms and holds three samples or more.`);
    this.draw();
  }

  complain(sentence) {
    this.complaint = sentence;
    this.fillMarks();
  }

  // -- the mouse

  listen() {
    const { part, model } = this;
    const { root, canvas, list, start, end } = part;
    const on = (node, names, what, options) => {
      for (const name of names.split(" ")) node.addEventListener(name, what, options);
    };
    on(root, "keydown", (event) => this.key(event));
    on(root, "keyup", () => this.drag || this.commit());
    on(root, "focusout", () => this.drag || this.commit() || this.draw());
    on(canvas, "pointerdown", (event) => this.grab(event, this.touched(event)));
    on(start, "pointerdown", (event) => this.grab(event, "start"));
    on(end, "pointerdown", (event) => this.grab(event, "end"));
    on(part.plot, "pointermove", (event) => this.point(event));
    on(part.plot, "pointerup", (event) => this.release(event));
    on(part.plot, "pointercancel", () => this.dropDrag());
    on(part.plot, "pointerleave", () => {
      this.hover = null;
      this.draw();
    });
    on(part.plot, "dblclick", () => {
      this.view.whole();
      this.draw();
    });
    on(part.plot, "wheel", (event) => this.wheel(event), { passive: false });
    on(list, "click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) this.show([...list.children].indexOf(row));
    });
    on(part.confirm, "click", () => this.confirm());
    on(part.undo, "click", () => this.undo());
    on(part.reset, "click", () => this.reset());
    on(part.exclude, "click", () => this.exclude());
    on(part.cancel, "click", () => this.closeForm());
    on(part.from, "change", () => this.typed());
    on(part.to, "change", () => this.typed());
    on(part.form, "submit", (event) => {
      event.preventDefault();
      this.giveReason();
    });
    // JupyterLab listens for its keys before this element does (X cuts a cell): they are kept off while the focus is here,
    // except with Ctrl, so that Ctrl S still saves the notebook.
    this.onKey = (event) => {
      const theirs = ((event.ctrlKey || event.metaKey) && event.key !== "z") || (event.shiftKey && event.key === "Enter");
      root.toggleAttribute("data-lm-suppress-shortcuts", !theirs);
    };
    window.addEventListener("keydown", this.onKey, true);
    this.onState = () => this.receive(model.get("_state"));
    model.on("change:_state", this.onState);
    this.watchSize = new ResizeObserver(() => this.draw());
    this.watchSize.observe(part.plot);
    on(root, "transitionend transitioncancel", (event) => event.target === root && this.followTheme());
  }

  /** What lies under the pointer. */
  touched(event) {
    const [px, py] = this.pixel(event);
    if (px < EDGE.left) return "y axis";
    if (py > this.view.size[1] - EDGE.bottom) return "x axis";
    const time = this.view.time(px);
    return time >= this.window[0] && time <= this.window[1] ? "window" : "view";
  }

  pixel(event) {
    const box = this.part.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  grab(event, what) {
    if (event.button !== 0) return;
    event.preventDefault();
    const { canvas, plot, start, end } = this.part;
    ({ start, end }[what] ?? canvas).focus({ preventScroll: true });
    plot.setPointerCapture(event.pointerId);
    this.drag = { what, at: this.pixel(event), window: [...this.window], range: this.view.range() };
    this.point(event);
  }

  point(event) {
    const [px, py] = this.pixel(event);
    this.hover = [px, py];
    const { drag, part } = this;
    if (!drag) {
      const what = event.target === part.canvas ? this.touched(event) : "";
      part.canvas.style.cursor = { window: "grab", view: "crosshair", "x axis": "ew-resize", "y axis": "ns-resize" }[what] ?? "";
      return this.draw();
    }
    const { t } = this.item;
    const { x } = drag.range;
    const [partX, partY] = [0, 1].map((k) => ([px, py][k] - drag.at[k]) / this.view.inner[k]);
    const dx = partX * (x[1] - x[0]);
    const dt = interval(t);
    const [a, b] = drag.window;
    if (px === drag.at[0] && py === drag.at[1]) return this.draw();
    if (drag.what === "window") this.window = shifted(drag.window, Math.round(dx / dt) * dt, this.view.limits());
    else if (drag.what === "start") this.window = stretched(drag.window, t[nearest(t, a + dx)] - a, 0, this.view.limits(), 2 * dt);
    else if (drag.what === "end") this.window = stretched(drag.window, 0, t[nearest(t, b + dx)] - b, this.view.limits(), 2 * dt);
    else this.view.pan(drag.what === "y axis" ? 0 : -partX, drag.what === "x axis" ? 0 : partY, drag.range);
    part.canvas.style.cursor = "grabbing";
    this.draw();
  }

  release(event) {
    if (!this.drag) return;
    this.point(event);
    this.drag = null;
    this.part.canvas.style.cursor = "";
    this.commit();
    this.draw();
  }

  /** Give up a drag: everything as it was before it. */
  dropDrag() {
    if (!this.drag) return;
    this.window = this.drag.window;
    this.drag = null;
    this.draw();
  }

  wheel(event) {
    const focused = this.part.root.contains(this.part.root.getRootNode().activeElement);
    if (!focused && !event.ctrlKey && !event.metaKey) {
      // The page keeps scrolling past a picker that nobody has clicked on.
      this.part.hint.classList.add("lk-on");
      clearTimeout(this.fade);
      this.fade = setTimeout(() => this.part.hint.classList.remove("lk-on"), 1400);
      return;
    }
    event.preventDefault();
    const [px, py] = this.pixel(event);
    const axes = { "x axis": "x", "y axis": "y" }[this.touched(event)] ?? "xy";
    const step = event.deltaMode ? event.deltaY * 30 : event.deltaY;
    this.view.zoom(Math.exp(-Math.max(-300, Math.min(300, step)) / 500), [this.view.time(px), this.view.value(py)], axes);
    this.draw();
  }

  // -- words

  fillList() {
    this.part.list.replaceChildren(
      ...this.items.map((item, i) =>
        make(
          "div",
          { role: "option", id: `${this.name}-${i}`, class: "lk-row" },
          make("span", { class: "lk-mark" }),
          make("span", { class: "lk-code", text: item.code }),
          make("span", { class: "lk-path", text: item.pathway }),
          make("span", { class: "lk-word" }),
        ),
      ),
    );
  }

  fillMarks() {
    const { part, marks } = this;
    const count = {};
    for (const [i, mark] of marks.entries()) {
      count[mark.status] = (count[mark.status] ?? 0) + 1;
      const row = part.list.children[i];
      if (row.dataset.status !== mark.status || row.dataset.problem !== String(!!mark.problem)) {
        row.dataset.status = mark.status;
        row.dataset.problem = String(!!mark.problem);
        row.children[0].innerHTML = markOf(mark.status);
        row.children[3].textContent = mark.problem ? "check again" : mark.status;
      }
      row.title = mark.reason ? `excluded: ${mark.reason}` : this.items[i].file;
    }
    const done = (count.confirmed ?? 0) + (count.changed ?? 0);
    const open = marks.length - done - (count.excluded ?? 0);
    part.progress.textContent = `${done} of ${marks.length} confirmed`;
    part.rest.textContent = [open ? `${open} to do` : "nothing left to do", count.excluded && `${count.excluded} excluded`].filter(Boolean).join(", ");
    part.bar.replaceChildren(
      ...["confirmed", "changed", "excluded"].map((status) =>
        make("span", { "data-status": status, style: `flex-grow:${count[status] ?? 0}` }),
      ),
      make("span", { style: `flex-grow:${open}` }),
    );
    const mark = marks[this.current];
    part.pill.dataset.status = mark.status;
    part.pill.innerHTML = markOf(mark.status);
    part.pill.append(mark.status === "moved" ? "moved, not yet confirmed" : mark.status + (mark.reason ? `: ${mark.reason}` : ""));
    const latest = marks.filter((one) => one.at && one.fresh).sort((p, q) => (p.at < q.at ? 1 : -1))[0];
    const who = mark.by ? ` by ${mark.by}` : "";
    part.saved.textContent = mark.at ? `saved ${clock(mark.at)}${who}` : latest ? `last saved ${clock(latest.at)}` : "";
    part.exclude.textContent = mark.status === "excluded" ? "Include" : "Exclude…";
    part.undo.disabled = !this.model.get("_state").undo;
    part.error.textContent = this.waiting
      ? "Python has not answered yet, so the last step is not saved; is the kernel busy or stopped?"
      : this.complaint || mark.problem || "";
  }

  /** The state in one sentence for a screen reader, after a finished step only. */
  speak() {
    const { item, marks } = this;
    const lines = item.labels.map((label, k) => `${label} slope ${tell(fitLine(item.t, item.traces[k], this.window).slope, 3)} mV per ms`);
    this.part.live.textContent =
      `${item.code} ${item.pathway}, ${marks[this.current].status}, window ${tell(this.window[0], 2)} to ` +
      `${tell(this.window[1], 2)} ms, ${lines.join(", ")}. ${this.part.progress.textContent}.`;
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
    const { part, item, view, window } = this;
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
    paintTrace(pen, view, { window, lines, hover: this.drag ? null : this.hover, colours: this.colours, excluded });
    this.fillWindow(lines);
  }

  /** Everything outside the canvas that follows the window. */
  fillWindow(lines) {
    const { part, item, view } = this;
    const [a, b] = this.window;
    const { inner } = view;
    const [low, high] = view.limits();
    const place = { start: [view.px(a) - 10, 13, a, low, b], end: [view.px(b) - 3, 13, b, a, high] };
    for (const [name, [left, wide, now, least, most]] of Object.entries(place)) {
      const node = part[name];
      const seen = left + 10 >= EDGE.left && left + 3 <= EDGE.left + inner[0];
      node.style.display = seen ? "" : "none";
      node.style.cssText += `;left:${left}px;width:${wide}px;top:${EDGE.top}px;height:${inner[1]}px`;
      const state = { "aria-valuenow": now.toFixed(3), "aria-valuemin": least.toFixed(3), "aria-valuemax": most.toFixed(3), "aria-valuetext": `${now.toFixed(2)} ms` };
      for (const [key, value] of Object.entries(state)) if (node.getAttribute(key) !== value) node.setAttribute(key, value);
    }
    const decimals = Math.max(2, Math.min(4, Math.ceil(-Math.log10(interval(item.t)) + 0.3)));
    const active = part.root.getRootNode().activeElement;
    for (const [field, value] of [[part.from, a], [part.to, b]]) {
      if (field === active && field.dataset.shown !== field.value && !this.typedDone) continue;
      field.dataset.shown = field.value = value.toFixed(decimals);
    }
    this.typedDone = false;
    part.width.textContent = `${tell(b - a, 2)} ms wide, ${lines[0].n} samples`;
    for (const [k, key] of [...part.legend.children].entries())
      key.lastChild.textContent = `${tell(lines[k].slope, 3)} mV/ms`;
  }

  remove() {
    this.commit();
    this.model.off("change:_state", this.onState);
    window.removeEventListener("keydown", this.onKey, true);
    this.watchSize.disconnect();
    clearTimeout(this.patience);
    clearTimeout(this.fade);
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

/** Hour and minute of a stored pick, with the day when it is not today. */
function clock(at) {
  const when = new Date(at);
  const time = `${String(when.getHours()).padStart(2, "0")}:${String(when.getMinutes()).padStart(2, "0")}`;
  const day = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
  return day(when) === day(new Date()) ? time : `${day(when)} ${time}`;
}

export default {
  render({ model, el }) {
    const view = new TraceView(model, el);
    return () => view.remove();
  },
};
