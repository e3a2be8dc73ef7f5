// The lanes picker of a whole study: a list of blots, the current one with its lanes and the window of its target.

import { Images } from "./lanes_image.js";
import { LanesInput } from "./lanes_input.js";
import { build, fillBlot, fillPlace, fillShapes, fillSpoken, fillState } from "./lanes_page.js";
import { frames, paintBlot } from "./lanes_plot.js";
import { centreAt, keptView, profileOf, wholeView, zoomedView } from "./lanes_shape.js";
import { readColours } from "./page.js";
import { PickerView, newName } from "./view.js";

const COLOURS = ["ground", "ink", "muted", "line", "blank", "span", "edge"];

class LanesView extends PickerView {
  constructor(model, el) {
    const name = newName();
    const items = model.get("_items").map((item) => ({ ...item, label: item.target, more: item.membrane }));
    super(model, build(name), items, name);
    this.images = new Images(model, items, (group) => group === this.item.group && this.arrived());
    this.looks = new Map(); // contrast by image
    this.size = [0, 0];
    this.lane = 0;
    this.zoomed = null; // what is in view; null is the whole image
    this.input = new LanesInput(this);
    this.start(el);
  }

  // -- what is picked

  shapeOf({ lanes, band, polarity }) {
    return { lanes, band, polarity };
  }

  get lanes() {
    return this.shape.lanes;
  }

  get band() {
    return this.shape.band;
  }

  set(parts) {
    this.shape = { ...this.shape, ...parts };
    this.draw();
  }

  /** Whether bands look otherwise than in the image as Python read it. */
  get turned() {
    return this.shape.polarity !== this.item.polarity;
  }

  choose(lane) {
    const last = this.lanes.lanes.length - 1;
    this.lane = Math.max(0, Math.min(last, lane));
    this.fillMarks();
    this.draw();
    this.speak();
  }

  /** Choose the lane nearest to a place on the canvas, if that is between lanes. */
  chooseAt([px, py]) {
    const [x, y] = [this.view.x + px / this.view.scale, this.view.y + py / this.view.scale];
    const away = this.lanes.lanes.map((_, k) => Math.abs(centreAt(this.lanes, k, y) - x));
    const nearest = away.indexOf(Math.min(...away));
    if (away[nearest] < 2.5 * this.lanes.lanes[nearest][2]) this.choose(nearest);
  }

  /** Have Python place the lanes anew in the region. */
  propose(n) {
    this.commit();
    this.send({ do: "propose", n, roi: this.lanes.roi });
  }

  /** Another image of the same membrane and size, whose lanes may serve here too: the one that comes first. */
  get other() {
    const { membrane, group, shape } = this.item;
    return this.items.findIndex((one) => one.membrane === membrane && one.group !== group && String(one.shape) === String(shape));
  }

  takeLanes() {
    this.commit();
    if (this.other >= 0) this.send({ do: "move", lanes: this.shapes[this.other].lanes });
  }

  reset() {
    this.commit();
    this.send({ do: "reset" });
  }

  excludeLane() {
    this.commit();
    const lane = this.lane + 1;
    if (this.marks[this.current].out[lane]) this.send({ do: "include", lane });
    else this.ask(`Why is lane ${lane} of ${this.item.excludes} excluded?`, { lane });
  }

  // -- what is in view

  get imageFrame() {
    return frames(this.size).image;
  }

  get view() {
    return this.zoomed ? keptView(this.zoomed, this.item.shape, this.imageFrame) : wholeView(this.item.shape, this.imageFrame);
  }

  /** Magnify about a place on the canvas, or about the window in the current lane. */
  zoom(factor, at = null) {
    const { view, lanes, band, lane } = this;
    const y = band.centres[lane];
    const place = [(centreAt(lanes, lane, y) - view.x) * view.scale, (y - view.y) * view.scale];
    this.zoomed = zoomedView(view, factor, at ?? place, this.item.shape, this.imageFrame);
    this.draw();
  }

  /** Move by parts of the frame. */
  pan(right, down) {
    const { view, imageFrame: frame } = this;
    this.lookFrom(view, (right * frame[0]) / view.scale, (down * frame[1]) / view.scale);
  }

  /** Move by pixels of the image, starting from a view. */
  lookFrom(view, right, down) {
    this.zoomed = keptView({ ...view, x: view.x + right, y: view.y + down }, this.item.shape, this.imageFrame);
    this.draw();
  }

  fit() {
    this.zoomed = null;
    this.draw();
  }

  /** Contrast and marks of the current image: for the display only. */
  get look() {
    const { group } = this.item;
    const key = `${group} ${this.turned}`;
    if (!this.looks.has(key)) {
      const image = this.images.kept.get(group);
      if (!image) return { low: 0, high: 1, gamma: 1, inverted: false, marked: true };
      this.looks.set(key, { ...image.fitted(this.turned), marked: true });
    }
    return this.looks.get(key);
  }

  setLook(parts) {
    this.looks.set(`${this.item.group} ${this.turned}`, { ...this.look, ...parts });
    this.draw();
  }

  // -- what is shown

  open() {
    const { group } = this.item;
    if (group !== this.group) {
      this.zoomed = null;
      this.lane = 0;
    }
    this.group = group;
    this.images.get(this.current);
    fillBlot(this.part, this.item, this.items[this.other]);
  }

  arrived() {
    this.fillMarks();
    this.draw();
    // The next image comes while this one is looked at.
    this.images.ask(this.items.findIndex((item, i) => i > this.current && item.group !== this.item.group));
  }

  fillMarks() {
    super.fillMarks();
    this.lane = Math.min(this.lane, this.lanes.lanes.length - 1);
    const image = this.images.kept.get(this.item.group);
    fillState(this.part, this.item, this.marks[this.current], this.lane, this.shape, image, this.turned);
  }

  /** After a finished step only. */
  speak() {
    fillSpoken(this.part, this.item, this.marks[this.current], this.lane, this.shape);
  }

  paint() {
    const { part, item } = this;
    const width = part.plot.clientWidth;
    if (!width) return;
    const beside = width - frames([width, 0]).image[0];
    const [rows, columns] = item.shape;
    const most = Math.max(300, Math.min(640, innerHeight / 2));
    const height = Math.round(Math.max(280, Math.min(most, ((width - beside) * rows) / columns)));
    this.size = [width, height];
    const pen = this.pen(part.canvas, width, height);
    this.colours ??= readColours(part.root, COLOURS);
    this.lane = Math.min(this.lane, this.lanes.lanes.length - 1);
    const mark = this.marks[this.current];
    const scene = {
      ...this.shape, size: this.size, frame: this.imageFrame, view: this.view, lane: this.lane, colours: this.colours,
      image: this.images.get(this.current), look: this.look, turned: this.turned, ratio: globalThis.devicePixelRatio || 1,
      out: mark.out, excluded: !!mark.reason, roles: item.roles, strips: item.strips,
    };
    if (scene.image) scene.profile = this.profile(scene);
    paintBlot(pen, scene);
    fillShapes(part, scene, item, this.shape.polarity);
    fillPlace(part, scene, this.input.hover);
  }

  /** The profile of the current lane; worked out again only when lane or image have changed. */
  profile({ image, lanes, lane, turned }) {
    const key = JSON.stringify([this.item.group, turned, lanes.roi, lanes.lanes[lane]]);
    if (key !== this.profiled) this.latest = profileOf(image, lanes, lane, turned);
    this.profiled = key;
    return this.latest;
  }

  remove() {
    super.remove();
    this.images.remove();
  }
}

export default {
  render({ model, el }) {
    const view = new LanesView(model, el);
    return () => view.remove();
  },
};
