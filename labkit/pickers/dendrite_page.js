// The page of the dendrite picker: elements and the table of keys, and the words and numbers filled into them.

import { tell } from "./axes.js";
import { CLASSES, CLASS_COLOUR, shapePath } from "./dendrite_plot.js";
import { make, maker } from "./page.js";

const REASONS = ["out of focus", "crossing neurites", "too short", "cut by the edge of the stack", "damaged tissue", "no dendrite here"];
const KEYS = [
  ["1, 2", "place points of the path; correct spines"],
  ["Click", "add a point or a spine; drag one to move it"],
  ["A", "the same at the cross in the middle"],
  ["Wheel, ↑ ↓", "plane (Page ↑ ↓: five planes)"],
  ["Ctrl wheel, + −", "zoom; 0: whole image"],
  ["Drag, Shift arrow", "move the view"],
  ["V", "plane, some planes, all planes"],
  ["[ ]", "fewer, more planes"],
  [", .", "darker, brighter"],
  ["← →", "spine before, after; or point"],
  ["M T S F C", "class of the chosen spine (C: none)"],
  ["Del", "remove; bring a removed spine back"],
  ["I J K L", "move what is chosen by a pixel"],
  ["Z", "bring what is chosen to this plane"],
  ["R", "find spines again"],
  ["H", "hide path and spines"],
  ["Enter", "find spines; then confirm, go to the next"],
  ["N, P", "next, previous dendrite"],
  ["X", "exclude; include again"],
  ["U, Ctrl Z", "undo"],
];
export const CLASS_KEY = { mushroom: "M", thin: "T", stubby: "S", filopodium: "F", unclassified: "C" };
const VIEWS = { slice: "Plane", slab: "Some", whole: "All" };

const span = (name, ...children) => make("span", { class: `lk-${name}` }, ...children);

/** Everything that is seen, built once. */
export function build(id) {
  const { part, keep, box, button, root, side, head, canvas, hint, ends } = maker(id);
  const word = (text) => make("span", { text });
  const range = (name, label, max) =>
    keep(name, make("input", { type: "range", class: "lk-range", min: "0", max: String(max), step: "1", "aria-label": label }));
  const choice = (group, name, text, title) =>
    keep(`${group}-${name}`, make("button", { type: "button", class: "lk-button lk-choice", "data-name": name, "aria-pressed": "false", title }, text));
  root(
    "dendrites",
    "Paths and spines of dendrites",
    side("Dendrites"),
    box(
      "main",
      head(keep("busy", span("busy"))),
      keep("note", make("div", { class: "lk-note" })),
      box(
        "tools",
        span("group", choice("mode", "path", "1 Path", "Place the points of the path (1)"), choice("mode", "spines", "2 Spines", "Correct the spines (2)")),
        keep(
          "depth",
          span(
            "group",
            ...Object.entries(VIEWS).map(([name, text]) => choice("view", name, text, `See ${{ slice: "one plane", slab: "the brightest of some planes", whole: "the brightest of all planes" }[name]} (V)`)),
            word("z"),
            range("plane", "Plane", 1),
            keep("planeWord", span("z")),
          ),
        ),
        make(
          "fieldset",
          { class: "lk-display" },
          make("legend", { text: "Display only" }),
          word("Low"),
          range("low", "Contrast, low end, display only", 1000),
          word("High"),
          range("high", "Contrast, high end, display only", 1000),
          word("Gamma"),
          range("gamma", "Gamma, display only", 200),
          button("fit", "Fit", "0", "Whole image"),
        ),
      ),
      keep("plot", box("plot", canvas(), hint("Click the image first: then the wheel turns the planes"))),
      keep("stripBox", make("div", { class: "lk-strip" }, keep("strip", make("canvas", { role: "img", "aria-label": "The dendrite laid out straight, with its spines" })))),
      keep(
        "classes",
        make("div", { class: "lk-classes", role: "group", "aria-label": "Spines by class" }, ...CLASSES.map((name) => keep(`class-${name}`, row(name)))),
      ),
      box(
        "foot",
        span(
          "window",
          make("label", { class: "lk-filter", title: "Hide spines below this confidence; they still count" }, word("Confidence from"), range("least", "Confidence from, display only", 100)),
          keep("leastWord", span("z")),
          keep("sum", make("span", { class: "lk-sum", title: "All spines over the whole path, its ends included" })),
        ),
        span(
          "buttons",
          button("undo", "Undo", "U", "Take the last step back"),
          button("clear", "Clear path", "", "Take all points of the path away"),
          button("reset", "Find again", "R", "Find spines again; what you marked stays"),
          button("exclude", "Exclude…", "X", "Exclude with a reason"),
          button("confirm", "Confirm ↵", "Enter", "Save path and spines and go to the next dendrite"),
        ),
      ),
      ...ends(REASONS, KEYS),
    ),
  );
  return part;
}

/** A class in the gallery: its name, which is a button that gives the class to the chosen spine, and the crops. */
function row(name) {
  const icon = make("canvas", { class: "lk-icon", width: "28", height: "28", "aria-hidden": "true" });
  const pen = icon.getContext("2d");
  pen.scale(2, 2);
  shapePath(pen, name, 7, 7.4, 4.4);
  pen.fillStyle = CLASS_COLOUR[name];
  pen.strokeStyle = "#000000";
  pen.lineWidth = 1;
  pen.fill();
  pen.stroke();
  return make(
    "div",
    { class: "lk-class" },
    make("button", { type: "button", class: "lk-button lk-class-name", "data-name": name, title: `Make the chosen spine ${name} (${CLASS_KEY[name]})`, "aria-keyshortcuts": CLASS_KEY[name] }, icon, span("count"), make("kbd", { text: CLASS_KEY[name] })),
    make("div", { class: "lk-crops" }),
  );
}

// -- what changes

/** Another dendrite is open. */
export function fillDendrite(part, item) {
  const planes = item.shape[0];
  part.title.textContent = item.code;
  part.canvas.setAttribute("aria-label", `Stack of ${item.code}, ${planes} planes. Up and down turn the planes, left and right choose a spine.`);
  part.plane.max = String(planes - 1);
  part.depth.hidden = planes < 2;
}

/** Which tool, which planes, which contrast. */
export function fillTools(part, { mode, view, plane, planes, item, look, levels, least }) {
  for (const name of ["path", "spines"]) press(part[`mode-${name}`], name === mode);
  for (const name of Object.keys(VIEWS)) press(part[`view-${name}`], name === view);
  part.canvas.dataset.mode = mode;
  const active = part.root.getRootNode().activeElement;
  const slide = (node, value) => node !== active && (node.value = String(Math.round(value)));
  slide(part.plane, plane);
  const [first, last] = planes.map((k) => k + 1);
  part.planeWord.textContent = first === last ? `${first} of ${item.shape[0]}` : `${first}–${last}`;
  if (levels) {
    slide(part.low, 1000 * fraction(levels, look.low));
    slide(part.high, 1000 * fraction(levels, look.high));
    slide(part.gamma, 100 + 50 * Math.log2(look.gamma));
  }
  slide(part.least, 100 * least);
  part.leastWord.textContent = least.toFixed(2);
}

function press(node, pressed) {
  if (node.getAttribute("aria-pressed") !== String(pressed)) node.setAttribute("aria-pressed", String(pressed));
}

/** Where a value lies among the levels of a stack, from 0 to 1; the root, since most of a stack is dark. */
export const fraction = (levels, value) => Math.sqrt(Math.max(0, Math.min(1, (value - levels[0]) / (levels[255] - levels[0]))));
export const valueAt = (levels, part) => levels[0] + part * part * (levels[255] - levels[0]);

/** What is known of the dendrite in hand. */
export function fillHand(part, { points, marks, stale, line, mode, hiddenCount, status, busy }) {
  const own = marks.filter((mark) => mark.origin !== "removed");
  const said = [];
  if (line.length) said.push(`${tell(line.length, 1)} µm`);
  if (own.length || (points.length > 1 && !stale)) said.push(`${own.length} spine${own.length === 1 ? "" : "s"}`);
  if (line.length && own.length) said.push(`${tell((10 * own.length) / line.length, 1)} per 10 µm`);
  if (hiddenCount) said.push(`${hiddenCount} hidden, and counted`);
  part.sum.textContent = said.join(", ");
  part.busy.textContent = busy;
  part.note.textContent = [
    points.length === 0 && "Click along the dendrite: two points or more. The path between them is found.",
    points.length === 1 && "Click the next point of the path.",
    points.length > 1 && stale && !busy && "Add, drag or delete points until the path is right; then Enter finds the spines.",
    mode === "spines" && points.length > 1 && !stale && !busy && "Click a spine to choose it, beside the shaft to add one; M T S F: its class; Del: remove.",
    line.flags,
  ]
    .filter(Boolean)
    .join(" ");
  part.confirm.textContent = mode === "path" || stale ? "Find spines ↵" : "Confirm ↵";
  part.confirm.disabled = points.length < 2;
  part.reset.disabled = points.length < 2;
  part.clear.disabled = points.length === 0;
  part.exclude.textContent = status === "excluded" ? "Include" : "Exclude…";
  for (const name of CLASSES) {
    const n = own.filter((mark) => mark.class === name).length;
    part[`class-${name}`].querySelector(".lk-count").textContent = `${n} ${name}`;
    part[`class-${name}`].dataset.empty = String(!n);
  }
}

/** Words of this picker for what every picker knows: nobody proposes a path. */
export function fillWords(part, marks, current) {
  const words = { proposed: "not traced", moved: "to confirm" };
  for (const [i, mark] of marks.entries()) {
    const word = part.list.children[i].querySelector(".lk-word");
    const told = mark.problem ? "check again" : (words[mark.status] ?? `${mark.spines} spine${mark.spines === 1 ? "" : "s"}`);
    if (word.textContent !== told && mark.status !== "excluded") word.textContent = told;
  }
  const last = part.pill.lastChild;
  if (marks[current].status === "proposed") last.textContent = "not traced";
  if (marks[current].status === "moved") last.textContent = "not yet confirmed";
}
