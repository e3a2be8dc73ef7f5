// The page of the lanes picker: elements and the table of keys, and the words and numbers filled into them.

import { tell } from "./axes.js";
import { fillNumber, make, maker, setAll } from "./page.js";
import { boxesOf } from "./lanes_shape.js";
import { placesOf } from "./lanes_plot.js";

const REASONS = ["bubble or scratch over the band", "saturated", "uneven transfer", "smeared lane", "loading error", "high background"];
const KEYS = [
  ["← →", "choose a lane, or move what is chosen"],
  ["↑ ↓", "move the window, or what is chosen"],
  ["Shift arrow", "by ten pixels"],
  ["Tab", "window, its height, lane, ends, region"],
  [", .", "lane to the left, to the right"],
  ["Enter", "confirm, go to the next"],
  ["N, P", "next, previous blot"],
  ["C", "lanes of another image of the membrane"],
  ["L", "exclude the lane; include again"],
  ["X", "exclude the blot; include again"],
  ["U, Ctrl Z", "undo"],
  ["R", "back to the proposal"],
  ["+ −, 0", "zoom; whole image (double-click)"],
  ["W A S D", "move the view"],
  ["I, M", "invert the view; mark saturated"],
  ["Alt drag", "this lane alone: centre or width"],
];
/** What can be moved, in the order of Tab, and along which axis: 0 rows, 1 columns. */
export const HANDLES = {
  window: ["Window of the target, all lanes", 0],
  height: ["Height of the window, all lanes", 0],
  centre: ["Centre of the window in this lane", 0],
  lane: ["Lane as a whole", 1],
  breadth: ["Width of all lanes", 1],
  top: ["Upper end of the lane", 1],
  bottom: ["Lower end of the lane", 1],
  roi0: ["Upper edge of the region", 0],
  roi1: ["Lower edge of the region", 0],
  roi2: ["Left edge of the region", 1],
  roi3: ["Right edge of the region", 1],
};

/** Everything that is seen, built once. */
export function build(id) {
  const { part, keep, box, number, button, handle, root, side, head, canvas, hint, ends } = maker(id);
  const span = (name, ...children) => make("span", { class: `lk-${name}` }, ...children);
  const word = (text) => make("span", { text });
  const range = (name, label, max) =>
    keep(name, make("input", { type: "range", class: "lk-range", min: "0", max: String(max), step: "1", "aria-label": `${label}, display only` }));
  const tick = (name, text, title) =>
    make("label", { class: "lk-tick", title }, keep(name, make("input", { type: "checkbox" })), keep(`${name}Word`, word(text)));
  root(
    "lanes",
    "Lanes and windows",
    side("Blots"),
    box(
      "main",
      head(keep("membrane", span("saved")), keep("lanesOut", span("outs"))),
      keep("note", make("details", { class: "lk-note" }, make("summary", {}), make("div", {}))),
      box(
        "tools",
        span("group", button("zoomOut", "−", "-", "Zoom out"), button("fit", "Fit", "0", "Whole image"), button("zoomIn", "+", "+", "Zoom in")),
        span(
          "group",
          make("label", {}, word("Bands in the file look "), keep("polarity", make("select", { class: "lk-select" }, make("option", { value: "dark", text: "dark" }), make("option", { value: "bright", text: "bright" })))),
        ),
        keep("at", span("at")),
        make(
          "fieldset",
          { class: "lk-display" },
          make("legend", { text: "Display only" }),
          word("Low"),
          range("low", "Contrast, low end", 1000),
          word("High"),
          range("high", "Contrast, high end", 1000),
          word("Gamma"),
          range("gamma", "Gamma", 200),
          tick("inverted", "Invert", "Turn light and dark round (I)"),
          tick("marked", "Saturated", "Paint saturated pixels (M)"),
        ),
      ),
      keep("plot", box("plot", canvas(), ...Object.entries(HANDLES).map(([name, [label]]) => handle(name, label)), hint("Click the image to zoom with the wheel, or hold Ctrl"))),
      box(
        "foot",
        span(
          "window",
          word("Lanes"),
          button("fewer", "−", "", "One lane less; all are placed anew in the region"),
          number("count", "Number of lanes", { min: "1", max: "99", step: "1" }),
          button("more", "+", "", "One lane more; all are placed anew in the region"),
          button("again", "Find again", "", "Place the lanes anew in the region"),
          button("same", "As", "C", "Take the lanes of another image of this membrane"),
          word("Width"),
          number("width", "Width of all lanes in pixels"),
          word("Window"),
          number("tall", "Height of the window in pixels"),
          word("px"),
        ),
        span(
          "buttons",
          button("undo", "Undo", "U", "Take the last step back"),
          button("reset", "Proposal", "R", "Back to what was proposed"),
          button("excludeLane", "Exclude lane…", "L", "Exclude this lane with a reason"),
          button("exclude", "Exclude blot…", "X", "Exclude the whole blot with a reason"),
          button("confirm", "Confirm ↵", "Enter", "Save lanes and window and go to the next blot"),
        ),
      ),
      ...ends(REASONS, KEYS),
    ),
  );
  return part;
}

// -- what changes

/** Another blot is open. */
export function fillBlot({ title, canvas, membrane, same }, item, other) {
  same.hidden = !other;
  if (other) same.textContent = `As ${other.code}`;
  title.textContent = `${item.code} · ${item.target}`;
  membrane.textContent = `membrane ${item.membrane}`;
  canvas.setAttribute("aria-label", `Image of ${item.code}, ${item.target}. Up and down move the window, left and right choose a lane.`);
}

/** What is doubtful, which lanes are excluded, and what the buttons would do. */
export function fillState(part, item, mark, lane, { lanes }, image, turned) {
  const n = lanes.lanes.length;
  const expected = item.roles.length;
  const notes = [...item.warnings];
  if (expected && expected !== n) notes.unshift(`There are ${n} lanes here, and ${expected} in the sheet of lanes.`);
  const [first, rest] = part.note.children;
  first.textContent = (notes[0] ?? "") + (notes.length > 1 ? ` (${notes.length - 1} more)` : "");
  rest.textContent = notes.slice(1).join(" ");
  part.note.hidden = !notes.length;
  const out = Object.entries(mark.out).map(([number, reason]) => `lane ${number}: ${reason}`);
  part.lanesOut.textContent = out.length ? `excluded ${out.join("; ")}` : "";
  part.exclude.textContent = mark.reason ? "Include blot" : "Exclude blot…";
  part.excludeLane.textContent = mark.out[lane + 1] ? `Include lane ${lane + 1}` : `Exclude lane ${lane + 1}…`;
  const painted = image ? [`${image.saturated} saturated`, image.coloured && `${image.coloured} coloured`].filter(Boolean).join(", ") : "saturated";
  part.markedWord.textContent = turned ? "Saturated: unknown" : `Mark ${painted}`;
  part.marked.disabled = turned;
}

/** Numbers, handles and sliders. */
export function fillShapes(part, scene, item, polarity) {
  const { lanes, band, lane, look, size } = scene;
  const fill = (field, value) => fillNumber(part.root, field, value);
  fill(part.count, String(lanes.lanes.length));
  fill(part.width, String(+(2 * lanes.lanes[lane][2]).toFixed(1)));
  fill(part.tall, String(+(2 * band.half_height).toFixed(1)));
  if (part.polarity.value !== polarity) part.polarity.value = polarity;
  const sliders = { low: 1000 * Math.sqrt(look.low), high: 1000 * Math.sqrt(look.high), gamma: 100 + 100 * Math.log2(look.gamma) / 2 };
  const active = part.root.getRootNode().activeElement;
  for (const [name, value] of Object.entries(sliders)) if (part[name] !== active) part[name].value = Math.round(value);
  part.inverted.checked = look.inverted;
  part.marked.checked = look.marked;
  const places = placesOf(scene);
  const values = valuesOf(scene);
  for (const [name, [, axis]] of Object.entries(HANDLES)) {
    const [x, y] = places[name];
    const node = part[name];
    const seen = x > -6 && y > -6 && x < scene.frame[0] + 6 && y < size[1] + 6;
    node.style.transform = `translate(${Math.round(Math.max(0, Math.min(scene.frame[0], x)) - 10)}px, ${Math.round(Math.max(0, Math.min(size[1], y)) - 10)}px)`;
    setAll(node, {
      "aria-valuenow": tell(values[name], 1).replace("\u2212", "-"),
      "aria-valuemin": 0,
      "aria-valuemax": item.shape[axis],
      "aria-valuetext": `${tell(values[name], 1)} px${/^(centre|lane|top|bottom)$/.test(name) ? `, lane ${lane + 1} of ${lanes.lanes.length}` : ""}`,
      "data-seen": seen,
    });
  }
}

/** The row and column under the pointer. */
export function fillPlace({ at }, { view, frame }, hover) {
  const inside = hover && hover[0] >= 0 && hover[0] < frame[0] && hover[1] >= 0 && hover[1] < frame[1];
  at.textContent = inside ? `row ${Math.floor(view.y + hover[1] / view.scale)}, column ${Math.floor(view.x + hover[0] / view.scale)}` : "";
}

/** What each handle stands for, as a number. */
function valuesOf({ lanes, band, lane }) {
  const [a, b, half] = lanes.lanes[lane];
  const mean = band.centres.reduce((sum, row) => sum + row, 0) / band.centres.length;
  const roi = Object.fromEntries(lanes.roi.map((edge, k) => [`roi${k}`, edge]));
  return { window: mean, height: 2 * band.half_height, centre: band.centres[lane], lane: (a + b) / 2, breadth: 2 * half, top: a, bottom: b, ...roi };
}

/** The state in one sentence for a screen reader. */
export function fillSpoken(part, item, mark, lane, { lanes, band }) {
  const box = boxesOf(lanes, band)[lane];
  const role = item.roles[lane] ? `, ${item.roles[lane]}` : "";
  const out = mark.out[lane + 1] ? `, excluded: ${mark.out[lane + 1]}` : "";
  part.live.textContent =
    `${item.code} ${item.target}, ${mark.status}, lane ${lane + 1} of ${lanes.lanes.length}${role}${out}, window rows ${tell(box.top, 0)} to ` +
    `${tell(box.bottom, 0)}, ${tell(box.right - box.left, 0)} pixels wide. ${part.progress.textContent}.`;
}
