// The dendrite in hand: its points and spines as they are shown, and what a person does to them.
//
// A drag, or a point that was just clicked, is this page's own until Python has answered; then what Python holds is
// shown. Paths are sent one at a time: what is clicked while one is traced goes along with the next.

import { nearestOnLine, nearestPlace, placeOf, planesOf, samePlace, slotFor } from "./dendrite_view.js";
import { PickerView } from "./view.js";

const FARTHEST_UM = 8; // of a spine from the path: filopodia are shorter
const NOTHING = { points: [], marks: [], key: "", stale: false };

export class DendriteHand extends PickerView {
  constructor(...given) {
    super(...given);
    this.hands = [];
    this.forget();
  }

  /** Nothing of the dendrite shown before. */
  forget() {
    this.local = null; // points that Python does not know yet
    this.carried = null; // spine on the way: { from, to }
    this.chosen = null; // place of a spine
    this.pointAt = -1; // index of a point
    this.tracing = 0; // number of the path that Python is tracing
    this.more = false; // points were changed since
    this.finding = 0;
    this.expected = null; // where the spine will stand that was just added or moved
    this.least = 0;
  }

  // -- what every picker is asked; each edit is a message of its own, so that nothing is left to be told

  shapeOf() {
    return null;
  }

  moved() {
    return {};
  }

  /** A key that moved something was let go. */
  commit() {
    if (!this.nudged) return;
    const what = this.nudged;
    this.nudged = null;
    this.letGo(what);
  }

  // -- what is shown

  get hand() {
    return this.hands[this.current] ?? NOTHING;
  }

  get points() {
    return this.local ?? this.hand.points;
  }

  /** All marks, one of them where it is being carried. */
  get allMarks() {
    const { carried } = this;
    if (!carried) return this.hand.marks;
    const [z, y, x] = carried.to;
    return this.hand.marks.map((mark) => (samePlace(placeOf(mark), carried.from) ? { ...mark, z: z ?? mark.z, y, x, carried: true } : mark));
  }

  /** Marks that the filter leaves; what a person touched is always seen. */
  seenMarks() {
    return this.allMarks.filter((mark) => mark.origin !== "auto" || mark.confidence === null || mark.confidence >= this.least);
  }

  chosenMark() {
    return this.hand.marks.find((mark) => samePlace(placeOf(mark), this.chosen));
  }

  /** Depth of a click: that of the plane, or null where several are seen at once, and the brightest is taken. */
  depthHere() {
    return this.view === "slice" ? this.plane * this.item.voxel[0] : null;
  }

  planesHere() {
    return this.view === "slab" ? planesOf("slab", this.plane, this.half, this.item.shape[0]) : null;
  }

  // -- the path

  sendPath() {
    if (this.tracing) {
      this.more = true;
      return;
    }
    this.more = false;
    const { points } = this;
    if (points.length < 2 && this.hand.points.length === 0) return;
    this.send({ do: "path", points: points.length < 2 ? [] : points, planes: this.planesHere() });
    this.tracing = this.sent;
  }

  clearPath() {
    this.local = [];
    this.pointAt = -1;
    this.setMode("path");
    this.sendPath();
    this.fillMarks();
    this.draw();
  }

  // -- points and spines

  /** A click where nothing is: a point more, or a spine. */
  put([y, x]) {
    const place = [this.depthHere(), y, x];
    if (this.mode === "path") {
      const line = this.line.fresh ? this.line.line : [];
      const slot = slotFor(this.points, line, place, 8 / this.port.scale);
      this.local = [...this.points.slice(0, slot), place, ...this.points.slice(slot)];
      this.pointAt = slot;
      this.sendPath();
    } else if (this.hand.points.length < 2) this.complain("Trace the path first: press 1 and click along the dendrite.");
    else if (this.awayFromPath(place) > FARTHEST_UM)
      this.complain(`That is ${this.awayFromPath(place).toFixed(0)} µm from the path: no spine is added. Drag to move the view.`);
    else {
      this.expected = place;
      this.complaint = "";
      this.send({ do: "add", at: place, planes: this.planesHere() });
    }
    this.fillMarks();
    this.draw();
  }

  awayFromPath([, y, x]) {
    return this.line.line.length ? nearestOnLine(this.line.line, [y, x])[1] : 0;
  }

  /** What was pressed is chosen, where it is. */
  chooseQuietly({ k, place }) {
    if (this.mode === "path") this.pointAt = k;
    else this.chosen = place;
    this.fillMarks();
  }

  choose(place) {
    this.chosen = place;
    if (place) this.goTo(place);
    this.fillMarks();
    this.draw();
    this.speak();
  }

  /** Next or previous spine along the path, or point of it. */
  step(by) {
    if (this.mode === "path") {
      if (!this.points.length) return;
      this.pointAt = (this.pointAt + by + this.points.length) % this.points.length;
      return this.goTo(this.points[this.pointAt]);
    }
    const isChosen = (mark) => samePlace(placeOf(mark), this.chosen);
    const marks = this.inOrder(this.seenMarks().filter((mark) => mark.origin !== "removed" || isChosen(mark)));
    if (!marks.length) return;
    const at = marks.findIndex(isChosen);
    const next = at < 0 ? (by > 0 ? 0 : marks.length - 1) : (at + by + marks.length) % marks.length;
    this.choose(placeOf(marks[next]));
  }

  /** A drag goes on: what is dragged stands under the pointer. */
  carry({ k, place }, px) {
    const to = [this.depthHere(), ...this.port.toUm(px)];
    if (!this.port.holds([to[1], to[2]])) return;
    if (this.mode === "path") this.local = this.points.map((point, i) => (i === k ? to : point));
    else this.carried = { from: place, to };
  }

  uncarry() {
    this.carried = this.nudged = null;
    if (!this.tracing) this.local = null;
  }

  letGo() {
    if (this.mode === "path") return this.sendPath();
    if (!this.carried) return;
    this.expected = this.carried.to;
    this.send({ do: "shift", at: this.carried.from, to: this.carried.to, planes: this.planesHere() });
  }

  /** Move what is chosen by pixels; it is sent when the key is let go. */
  nudge(rows, columns) {
    const { voxel } = this.item;
    if (this.mode === "path") {
      if (!this.points[this.pointAt]) return;
      this.local = this.points.map(([z, y, x], i) => (i === this.pointAt ? [z, y + rows * voxel[1], x + columns * voxel[2]] : [z, y, x]));
    } else {
      const mark = this.allMarks.find((one) => samePlace(placeOf(one), this.carried?.to ?? this.chosen));
      if (!mark || (this.carried && !this.nudged)) return;
      this.carried = { from: this.carried?.from ?? this.chosen, to: [mark.z, mark.y + rows * voxel[1], mark.x + columns * voxel[2]] };
    }
    this.nudged = true;
  }

  /** Bring what is chosen to the plane in view. */
  toPlane() {
    const z = this.plane * this.item.voxel[0];
    if (this.mode === "path") {
      if (!this.points[this.pointAt]) return;
      this.local = this.points.map((point, i) => (i === this.pointAt ? [z, point[1], point[2]] : point));
      this.sendPath();
    } else if (this.chosenMark() && !this.carried) {
      const mark = this.chosenMark();
      if (mark.z === z) return;
      this.carried = { from: this.chosen, to: [z, mark.y, mark.x] };
      this.letGo();
    }
  }

  removeChosen() {
    if (this.mode === "path") {
      if (!this.points[this.pointAt]) return;
      this.local = this.points.filter((_, i) => i !== this.pointAt);
      this.pointAt = Math.min(this.pointAt, this.local.length - 1);
      this.sendPath();
    } else if (this.chosenMark()) {
      // One that was found stays chosen, so that the next one is one key away, and so is having it back.
      this.send({ do: "remove", at: this.chosen });
    }
    this.fillMarks();
    this.draw();
  }

  reclass(name) {
    const mark = this.chosenMark();
    if (this.mode !== "spines" || !mark || mark.origin === "removed" || mark.class === name) return;
    this.send({ do: "reclass", at: this.chosen, class: name });
  }

  // -- finding and confirming

  find() {
    if (this.points.length < 2 || this.finding) return;
    if (this.tracing || this.more) {
      this.findNext = true;
      return;
    }
    this.send({ do: "find" });
    this.finding = this.sent;
    this.fillMarks();
  }

  reset() {
    this.find();
  }

  setMode(mode) {
    this.mode = mode;
    if (mode === "spines" && (this.hand.stale || this.local)) this.toFrame = true;
    if (mode === "spines" && (this.hand.stale || this.local)) this.find();
    this.fillMarks();
    this.draw();
  }

  confirm() {
    if (this.marks[this.current].status === "excluded") return this.complain("It is excluded: press X to include it again.");
    if (this.points.length < 2) return this.complain("Click two or more points on the dendrite first.");
    if (this.tracing || this.finding || this.mode === "path") return this.setMode("spines");
    if (this.hand.stale) return this.find();
    super.confirm();
  }

  // -- what Python answers

  receive(state) {
    if (state.hand) this.hands[state.hand.index] = state.hand;
    const own = state.view === this.name;
    if (own && this.tracing && state.number >= this.tracing) {
      this.tracing = 0;
      if (this.more) this.sendPath();
      else if (this.local?.length !== 1 || state.error) this.local = null;
    }
    if (own && this.finding && state.number >= this.finding) this.finding = 0;
    if (own && state.number >= this.sent) {
      if (!this.input.drag) this.carried = null;
      this.settle();
    }
    super.receive(state);
    if (this.mode === "spines" && this.points.length < 2 && this.marks[this.current].status === "proposed") this.mode = "path";
    if (own && this.findNext && !this.tracing && !state.error) {
      this.findNext = false;
      if (this.hand.stale) this.find();
    }
    this.lookUp();
  }

  /** Choose the spine that was just added or moved. */
  settle() {
    if (!this.expected) return;
    const { marks } = this.hand;
    const k = nearestPlace(this.port, marks.map(placeOf), this.port.toPx([this.expected[1], this.expected[2]]), 3);
    if (k >= 0) this.chosen = placeOf(marks[k]);
    this.expected = null;
  }
}
