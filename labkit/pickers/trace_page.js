// The page of the trace picker: elements and the table of keys, and the words and numbers filled into them.

import { fitLine, interval, tell } from "./axes.js";
import { fillNumber, make, maker, setAll } from "./page.js";
import { EDGE } from "./trace_plot.js";

const REASONS = ["baseline drift", "no clear response", "population spike", "unstable fibre volley", "artefact over the response"];
const KEYS = [
  ["← →", "move the window a sample"],
  ["Shift ← →", "by ten samples"],
  ["↑ ↓", "widen, narrow (Shift: ten)"],
  ["[ ]", "move its start (Shift: its end)"],
  ["Enter", "confirm, go to the next"],
  ["N, P", "next, previous trace"],
  ["X", "exclude; include again"],
  ["U, Ctrl Z", "undo"],
  ["R, 0", "back to the proposal"],
  ["+ −", "zoom about the window"],
  ["W A S D", "move the view"],
  ["F", "whole view (double-click)"],
];

/** Everything that is seen, built once. */
export function build(id) {
  const { part, keep, box, number, button, handle, root, side, head, canvas, hint, ends } = maker(id);
  root(
    "trace",
    "Slope windows",
    side("Traces"),
    box(
      "main",
      head(keep("legend", make("span", { class: "lk-legend" }))),
      keep(
        "plot",
        box("plot", canvas(), handle("start", "Start of the window"), handle("end", "End of the window"), hint("Click the trace to zoom with the wheel, or hold Ctrl")),
      ),
      box(
        "foot",
        make(
          "span",
          { class: "lk-window" },
          make("span", { text: "Window" }),
          number("from", "Window start in ms after the stimulus"),
          make("span", { text: "–" }),
          number("to", "Window end in ms after the stimulus"),
          make("span", { text: "ms" }),
          keep("width", make("span", { class: "lk-muted lk-width" })),
        ),
        make(
          "span",
          { class: "lk-buttons" },
          button("undo", "Undo", "U", "Take the last step back"),
          button("reset", "Proposal", "R", "Back to the proposed window"),
          button("exclude", "Exclude…", "X", "Exclude with a reason"),
          button("confirm", "Confirm ↵", "Enter", "Save this window and go to the next trace"),
        ),
      ),
      ...ends(REASONS, KEYS),
    ),
  );
  return part;
}

// -- what changes

/** Another trace is open: its name and its legend. */
export function fillTrace({ title, canvas, legend }, item) {
  title.textContent = `${item.code} · ${item.pathway}`;
  canvas.setAttribute("aria-label", `Mean traces of ${item.code}, pathway ${item.pathway}. Arrow keys move the window.`);
  legend.replaceChildren(
    ...item.labels.map((label, k) =>
      make("span", { class: "lk-key" }, make("span", { class: `lk-line lk-line${k % 4}` }), make("span", { text: label }), make("output", {})),
    ),
  );
}

/** The current window outside the canvas: handles, numbers, and the slope of each of its `lines`. */
export function fillWindow(part, view, [a, b], lines) {
  const { inner, item } = view;
  const [low, high] = view.limits();
  const place = { start: [view.px(a) - 10, a, low, b], end: [view.px(b) - 3, b, a, high] };
  for (const [name, [left, now, least, most]] of Object.entries(place)) {
    const node = part[name];
    const seen = left + 10 >= EDGE.left && left + 3 <= EDGE.left + inner[0];
    node.style.display = seen ? "" : "none";
    node.style.cssText += `;left:${left}px;width:13px;top:${EDGE.top}px;height:${inner[1]}px`;
    setAll(node, { "aria-valuenow": now.toFixed(3), "aria-valuemin": least.toFixed(3), "aria-valuemax": most.toFixed(3), "aria-valuetext": `${now.toFixed(2)} ms` });
  }
  const decimals = Math.max(2, Math.min(4, Math.ceil(-Math.log10(interval(item.t)) + 0.3)));
  for (const [field, value] of [[part.from, a], [part.to, b]]) fillNumber(part.root, field, value.toFixed(decimals));
  part.width.textContent = `${tell(b - a, 2)} ms wide, ${lines[0].n} samples`;
  for (const [k, key] of [...part.legend.children].entries()) key.lastChild.textContent = `${tell(lines[k].slope, 3)} mV/ms`;
}

/** The state in one sentence for a screen reader. */
export function fillSpoken(part, item, mark, [a, b]) {
  const lines = item.labels.map((label, k) => `${label} slope ${tell(fitLine(item.t, item.traces[k], [a, b]).slope, 3)} mV per ms`);
  part.live.textContent =
    `${item.code} ${item.pathway}, ${mark.status}, window ${tell(a, 2)} to ` +
    `${tell(b, 2)} ms, ${lines.join(", ")}. ${part.progress.textContent}.`;
}
