// The canvas of the trace picker: axes, blanked region, window, traces, lines through the window, cross-hair.

import { interval, nearest, shifted, tell, ticks, zoomed } from "./axes.js";

/** Room for the axes around the plot, in CSS pixels. */
export const EDGE = { left: 62, right: 14, top: 12, bottom: 42 };

/** Which part of a trace is in view, and where it lies on the canvas. */
export class View {
  /** `latest` is the end of the whole view in ms: the same for every trace, past the response, not the rest of a sweep. */
  constructor(latest) {
    this.latest = latest;
    this.size = [0, 0];
    this.x = null; // times in view; null is the whole view
    this.y = null;
  }

  /** Turn to another trace: the times in view stay, the values fit the new trace. */
  take(item) {
    this.item = item;
    this.y = null;
    const [low, high] = this.limits();
    if (this.x && (this.x[0] < low || this.x[1] > high)) this.x = null;
    this.home = [Math.max(low, -2), Math.min(high, this.latest)];
    this.homeY = this.fitted();
  }

  /** Range of the values in the whole view, leaving out what is blanked. */
  fitted() {
    const { t, traces, blank } = this.item;
    let [low, high] = [Infinity, -Infinity];
    for (const y of traces) {
      for (let i = 0; i < t.length; i++) {
        if (t[i] < this.home[0] || t[i] > this.home[1] || (blank && t[i] >= blank[0] && t[i] <= blank[1])) continue;
        if (y[i] < low) low = y[i];
        if (y[i] > high) high = y[i];
      }
    }
    if (!(high > low)) [low, high] = Number.isFinite(low) ? [low - 0.5, low + 0.5] : [-1, 1];
    const margin = 0.07 * (high - low);
    return [low - margin, high + margin];
  }

  limits() {
    const { t } = this.item;
    return [t[0], t[t.length - 1]];
  }

  range() {
    return { x: this.x ?? this.home, y: this.y ?? this.homeY };
  }

  /** Width and height of the plot without its axes. */
  get inner() {
    return [this.size[0] - EDGE.left - EDGE.right, this.size[1] - EDGE.top - EDGE.bottom];
  }

  /** Magnify about a point given as time and value. */
  zoom(factor, [time, value], axes = "xy") {
    const { x, y } = this.range();
    if (axes.includes("x")) this.x = zoomed(x, time, factor, this.limits(), 8 * interval(this.item.t));
    if (axes.includes("y")) {
      const [low, high] = this.homeY;
      const span = high - low;
      this.y = zoomed(y, value, factor, [low - 4 * span, high + 4 * span], span / 200);
    }
  }

  /** Move by parts of what is in view, starting from `range`. */
  pan(dx, dy, { x, y } = this.range()) {
    if (dx) this.x = shifted(x, dx * (x[1] - x[0]), this.limits());
    if (dy) this.y = y.map((value) => value + dy * (y[1] - y[0]));
  }

  whole() {
    this.x = this.y = null;
  }

  time(px) {
    const { x } = this.range();
    return x[0] + ((px - EDGE.left) / this.inner[0]) * (x[1] - x[0]);
  }

  value(py) {
    const { y } = this.range();
    return y[1] - ((py - EDGE.top) / this.inner[1]) * (y[1] - y[0]);
  }

  px(time) {
    const { x } = this.range();
    return EDGE.left + ((time - x[0]) / (x[1] - x[0])) * this.inner[0];
  }

  py(value) {
    const { y } = this.range();
    return EDGE.top + ((y[1] - value) / (y[1] - y[0])) * this.inner[1];
  }
}

/** The canvas: axes, blanked region, window, traces, lines through the window, cross-hair. */
export function paintTrace(pen, view, { window, lines, hover, colours, excluded }) {
  const { item, size, inner } = view;
  const range = view.range();
  const at = { x: (time) => view.px(time), y: (value) => view.py(value) };
  const [width, height] = size;
  const [left, top] = [EDGE.left, EDGE.top];
  const [right, bottom] = [left + inner[0], top + inner[1]];
  const crisp = (p) => Math.round(p) + 0.5;
  const stroke = (colour, wide, dash, path) => {
    pen.strokeStyle = colour;
    pen.lineWidth = wide;
    pen.setLineDash(dash);
    pen.beginPath();
    path();
    pen.stroke();
    pen.setLineDash([]);
  };
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, width, height);
  pen.font = `12px ${colours.font}`;
  const xt = ticks(...range.x, inner[0] / 75);
  const yt = ticks(...range.y, inner[1] / 42);

  stroke(colours.grid, 1, [], () => {
    for (const v of yt.values) pen.moveTo(left, crisp(at.y(v))), pen.lineTo(right, crisp(at.y(v)));
  });
  pen.save();
  pen.beginPath();
  pen.rect(left, top, inner[0], inner[1]);
  pen.clip();
  if (item.blank) {
    const [p, q] = item.blank.map(at.x);
    pen.fillStyle = colours.blank;
    pen.fillRect(p, top, q - p, inner[1]);
  }
  const [wa, wb] = window.map(at.x);
  pen.fillStyle = colours.span;
  pen.fillRect(wa, top, wb - wa, inner[1]);
  stroke(colours.muted, 1, [2, 3], () => (pen.moveTo(crisp(at.x(0)), top), pen.lineTo(crisp(at.x(0)), bottom)));

  pen.lineJoin = "round";
  pen.globalAlpha = excluded ? 0.45 : 1;
  const first = Math.max(0, nearest(item.t, range.x[0]) - 1);
  const last = Math.min(item.t.length - 1, nearest(item.t, range.x[1]) + 1);
  for (const [k, trace] of item.traces.entries()) {
    stroke(colours[`line${k % 4}`], 1.6, k > 3 ? [6, 3] : [], () => {
      let broken = true;
      for (let i = first; i <= last; i++) {
        if (!Number.isFinite(trace[i])) {
          broken = true;
          continue;
        }
        if (broken) pen.moveTo(at.x(item.t[i]), at.y(trace[i]));
        else pen.lineTo(at.x(item.t[i]), at.y(trace[i]));
        broken = false;
      }
    });
  }
  const reach = Math.max(0.25 * (window[1] - window[0]), (6 * (range.x[1] - range.x[0])) / inner[0]);
  for (const line of lines) {
    const [p, q] = [window[0] - reach, window[1] + reach];
    stroke(colours.ink, 1.4, [5, 3], () => {
      pen.moveTo(at.x(p), at.y(line.intercept + line.slope * p));
      pen.lineTo(at.x(q), at.y(line.intercept + line.slope * q));
    });
  }
  pen.globalAlpha = 1;
  stroke(colours.edge, 2, [], () => {
    for (const p of [wa, wb]) pen.moveTo(p, top), pen.lineTo(p, bottom);
  });
  pen.fillStyle = colours.edge;
  for (const p of [wa, wb]) {
    pen.beginPath();
    pen.roundRect(p - 4, top + inner[1] / 2 - 14, 8, 28, 3);
    pen.fill();
  }
  stroke(colours.ground, 1, [], () => {
    for (const p of [wa, wb])
      for (const d of [-1.5, 1.5]) pen.moveTo(p + d, top + inner[1] / 2 - 7), pen.lineTo(p + d, top + inner[1] / 2 + 7);
  });
  pen.restore();

  stroke(colours.muted, 1, [], () => {
    pen.moveTo(crisp(left), top);
    pen.lineTo(crisp(left), crisp(bottom));
    pen.lineTo(right, crisp(bottom));
    for (const v of xt.values) pen.moveTo(crisp(at.x(v)), bottom), pen.lineTo(crisp(at.x(v)), bottom + 5);
    for (const v of yt.values) pen.moveTo(left - 5, crisp(at.y(v))), pen.lineTo(left, crisp(at.y(v)));
  });
  pen.fillStyle = colours.ink;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const v of xt.values) pen.fillText(tell(v, xt.decimals), at.x(v), bottom + 8);
  pen.fillText("Time after the stimulus (ms)", left + inner[0] / 2, bottom + 25);
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const v of yt.values) pen.fillText(tell(v, yt.decimals), left - 8, at.y(v));
  pen.save();
  pen.translate(13, top + inner[1] / 2);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillText("Field potential (mV)", 0, 0);
  pen.restore();

  if (!hover || hover[0] < left || hover[0] > right || hover[1] < top || hover[1] > bottom) return;
  const i = nearest(item.t, range.x[0] + ((hover[0] - left) / inner[0]) * (range.x[1] - range.x[0]));
  const px = at.x(item.t[i]);
  pen.globalAlpha = 0.5;
  stroke(colours.muted, 1, [], () => {
    pen.moveTo(crisp(px), top), pen.lineTo(crisp(px), bottom);
    pen.moveTo(left, crisp(hover[1])), pen.lineTo(right, crisp(hover[1]));
  });
  pen.globalAlpha = 1;
  const words = [`${tell(item.t[i], 2)} ms`, ...item.traces.map((trace, k) => `${item.labels[k]} ${tell(trace[i], 3)} mV`)];
  for (const [k, trace] of item.traces.entries()) {
    if (!Number.isFinite(trace[i]) || at.y(trace[i]) < top || at.y(trace[i]) > bottom) continue;
    pen.fillStyle = colours[`line${k % 4}`];
    pen.beginPath();
    pen.arc(px, at.y(trace[i]), 3.5, 0, 2 * Math.PI);
    pen.fill();
  }
  pen.textAlign = "right";
  pen.textBaseline = "bottom";
  const wide = Math.max(...words.map((word) => pen.measureText(word).width));
  const box = [right - wide - 16, bottom - 17 * words.length - 12, wide + 12, 17 * words.length + 6];
  pen.globalAlpha = 0.88;
  pen.fillStyle = colours.ground;
  pen.fillRect(...box);
  pen.globalAlpha = 1;
  pen.fillStyle = colours.ink;
  for (const [k, word] of words.entries()) pen.fillText(word, right - 10, box[1] + 17 * (k + 1) + 2);
}
