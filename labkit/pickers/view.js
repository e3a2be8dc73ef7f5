// What every picker does: a list of items, the current one on a canvas, numbered messages to Python and their answers.
//
// Zoom, the current item and a drag in progress live here only. A finished move, a confirmation or an exclusion goes to
// Python as one message with a number; Python answers with the state of every item and the number it has dealt with.
// Until the answer to the last message is here, the shapes shown are this page's own, so an old echo never undoes a drag.

import { fillList, fillMarks, fillRow, make } from "./page.js";

let views = 0;

export const newName = () => `v${Date.now().toString(36)}${++views}`;

/**
 * A subclass says what is picked: `shapeOf(mark)`, an object of JSON values by name; `open()`, another item is shown;
 * `speak()`; `paint()`; `reset()`; and has an `input` with `drag` and `key(event)`.
 */
export class PickerView {
  constructor(model, part, items, name) {
    Object.assign(this, { model, part, items, name });
    this.marks = model.get("_state").items;
    this.shapes = this.marks.map((mark) => this.shapeOf(mark));
    this.told = [...this.shapes];
    this.sent = 0;
    this.answered = 0;
    const todo = this.marks.findIndex((mark) => mark.status === "proposed" || mark.status === "moved");
    this.current = Math.max(0, todo);
  }

  start(el) {
    const { root, plot, list, form, cancel } = this.part;
    const on = (node, name, what) => node.addEventListener(name, what);
    el.append(make("div", { class: "lk-box" }, root));
    fillList(this.part, this.items, this.name);
    this.onState = () => this.receive(this.model.get("_state"));
    this.model.on("change:_state", this.onState);
    this.watchSize = new ResizeObserver(() => this.draw());
    this.watchSize.observe(plot);
    for (const end of ["transitionend", "transitioncancel"]) on(root, end, (event) => event.target === root && this.followTheme());
    for (const name of ["confirm", "undo", "reset", "exclude"]) on(this.part[name], "click", () => this[name]());
    on(cancel, "click", () => this.closeForm());
    on(list, "click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) this.show([...list.children].indexOf(row));
    });
    on(form, "submit", (event) => {
      event.preventDefault();
      this.giveReason();
    });
    on(root, "keydown", (event) => this.input.key(event));
    on(root, "keyup", () => this.input.drag || this.commit());
    on(root, "focusout", () => this.input.drag || (this.commit(), this.draw()));
    // JupyterLab listens for its keys before this element does (X cuts a cell): they are kept off while the focus is here,
    // except with Ctrl, so that Ctrl S still saves the notebook.
    this.onKey = (event) => {
      const theirs = ((event.ctrlKey || event.metaKey) && event.key !== "z") || (event.shiftKey && event.key === "Enter");
      // An attribute of the root alone is too late: keys are matched with what has the focus before its parents.
      const focused = root.contains(event.target) ? event.target : root;
      for (const node of [root, focused]) node.toggleAttribute("data-lm-suppress-shortcuts", !theirs);
    };
    window.addEventListener("keydown", this.onKey, true);
    this.show(this.current, { silent: true });
  }

  // -- which item

  get item() {
    return this.items[this.current];
  }

  get shape() {
    return this.shapes[this.current];
  }

  set shape(value) {
    this.shapes[this.current] = value;
  }

  show(index, { silent = false } = {}) {
    this.commit();
    this.current = Math.max(0, Math.min(this.items.length - 1, index));
    this.input.hover = null;
    this.closeForm();
    fillRow(this.part, this.current);
    this.open();
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

  /** What was moved here since Python was told, by name; empty when nothing was. */
  moved() {
    const told = this.told[this.current];
    if (told === this.shape) return {};
    return Object.fromEntries(Object.entries(this.shape).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(told[name])));
  }

  isMoving() {
    return Object.keys(this.moved()).length > 0;
  }

  /** Tell Python of what was moved here and is now let go. */
  commit() {
    const moved = this.moved();
    if (!Object.keys(moved).length) return;
    this.told[this.current] = this.shape;
    this.send({ do: "move", ...moved });
    this.speak();
  }

  /** What Python says about every item. */
  receive(state) {
    this.marks = state.items;
    if (state.view === this.name ? state.number >= this.sent : this.sent <= this.answered) {
      clearTimeout(this.patience);
      this.answered = this.sent;
      this.waiting = false;
      for (const [i, mark] of this.marks.entries()) {
        // What is being moved right now is this page's until it is let go.
        if (i === this.current && (this.input.drag || this.isMoving())) continue;
        this.told[i] = this.shapes[i] = this.shapeOf(mark);
      }
      this.complaint = state.error;
      if (state.view === this.name && state.show !== null && state.show !== this.current) return this.show(state.show);
    }
    this.fillMarks();
    this.draw();
    if (state.view === this.name && !this.input.drag) this.speak();
  }

  // -- what a person does

  confirm() {
    const last = this.current === this.items.length - 1;
    const moved = this.moved();
    this.told[this.current] = this.shape;
    this.send({ do: "confirm", ...moved });
    const open = this.marks.findIndex((mark, i) => i !== this.current && (mark.status === "proposed" || mark.status === "moved"));
    if (!last) this.show(this.current + 1);
    else if (open >= 0) this.show(open);
    else this.speak();
  }

  exclude() {
    this.commit();
    if (this.marks[this.current].reason) this.send({ do: "include" });
    else this.ask(`Why is ${this.item.excludes} excluded?`);
  }

  /** Ask for the reason of an exclusion; `target` says of what, beside the item. */
  ask(question, target = {}) {
    const { form, ask, reason } = this.part;
    this.asked = target;
    ask.textContent = question;
    form.hidden = false;
    reason.value = "";
    reason.focus();
  }

  giveReason() {
    const reason = this.part.reason.value.trim();
    if (!reason) return this.part.reason.focus();
    this.closeForm();
    this.send({ do: "exclude", reason, ...this.asked });
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

  complain(sentence) {
    this.complaint = sentence;
    this.fillMarks();
  }

  // -- keyboard and wheel: what every picker answers to, beside its own `act`

  press(event, act) {
    if (event.target.tagName === "INPUT" && event.target.type === "text") return this.pressInForm(event);
    const inList = event.target === this.part.list;
    const next = () => this.show(this.current + 1);
    const previous = () => this.show(this.current - 1);
    const all = {
      Enter: () => event.shiftKey || this.confirm(),
      n: next,
      p: previous,
      PageDown: next,
      PageUp: previous,
      Home: () => inList && this.show(0),
      End: () => inList && this.show(this.items.length - 1),
      x: () => this.exclude(),
      u: () => this.undo(),
      r: () => this.reset(),
      ...act,
      ...(inList && { ArrowDown: next, ArrowUp: previous }),
    };
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const presses = /^(Enter| )$/.test(name) && /^(BUTTON|SUMMARY|INPUT|SELECT)$/.test(event.target.tagName);
    const done = event.ctrlKey || event.metaKey ? name === "z" && all.u : !presses && all[name];
    if (!done || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    done();
    this.draw();
  }

  pressInForm(event) {
    if (event.key === "Escape") this.closeForm();
    if (event.key !== "Enter") return;
    event.preventDefault(); // a form inside a notebook's output is not submitted by Enter everywhere
    this.giveReason();
  }

  /** Whether a wheel step is meant for the picker: the page keeps scrolling past one that nobody has clicked on. */
  takesWheel(event) {
    const { root, hint } = this.part;
    const taken = root.contains(root.getRootNode().activeElement) || event.ctrlKey || event.metaKey;
    if (taken) event.preventDefault();
    else {
      hint.classList.add("lk-on");
      clearTimeout(this.fade);
      this.fade = setTimeout(() => hint.classList.remove("lk-on"), 1400);
    }
    return taken;
  }

  // -- words and the picture

  fillMarks() {
    const { part, items, marks, current } = this;
    fillMarks(part, items, marks, current);
    part.undo.disabled = !this.model.get("_state").undo;
    part.error.textContent = this.waiting
      ? "Python has not answered yet, so the last step is not saved; is the kernel busy or stopped?"
      : this.complaint || marks[current].problem || "";
  }

  /** Another theme is in force. JupyterLab hides its outputs for a moment while it changes, so it is drawn twice. */
  followTheme() {
    this.colours = null;
    this.draw();
    clearTimeout(this.again);
    this.again = setTimeout(() => this.draw((this.colours = null)), 400);
  }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  /** A pen on a canvas of this size in CSS pixels, sharp on every screen. */
  pen(canvas, width, height) {
    const ratio = globalThis.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    return pen;
  }

  remove() {
    this.commit();
    this.model.off("change:_state", this.onState);
    window.removeEventListener("keydown", this.onKey, true);
    this.watchSize.disconnect();
    for (const timer of [this.patience, this.again, this.fade]) clearTimeout(timer);
    cancelAnimationFrame(this.frame);
    this.part.root.parentElement.remove();
  }
}
