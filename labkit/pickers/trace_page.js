// The page of the trace picker: elements, marks and the table of keys, and the words and numbers filled into them.

import { fitLine, interval, tell } from "./axes.js";
import { EDGE } from "./trace_plot.js";

const MARK = {
  proposed: '<circle cx="8" cy="8" r="4.6" fill="none" stroke="currentColor" stroke-width="1.6"/>',
  moved: '<path d="M8 2.6 13.4 8 8 13.4 2.6 8Z" fill="none" stroke="currentColor" stroke-width="1.6"/>',
  confirmed: '<path d="M2.8 8.6 6.4 12 13.2 4.4" fill="none" stroke="currentColor" stroke-width="2.2"/>',
  changed: '<path d="M8 2 14 8 8 14 2 8Z" fill="currentColor"/>',
  excluded: '<path d="M3.6 3.6 12.4 12.4M12.4 3.6 3.6 12.4" fill="none" stroke="currentColor" stroke-width="2.2"/>',
};
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

/** A new element; `attributes` may hold its text. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const markOf = (kind) => `<svg viewBox="0 0 16 16" aria-hidden="true">${MARK[kind]}</svg>`;

/** Everything that is seen, built once. */
export function build(id) {
  const part = {};
  const keep = (name, node) => (part[name] = node);
  const number = (name, label) =>
    keep(name, make("input", { type: "number", class: "lk-number", "aria-label": label, step: "any" }));
  const button = (name, text, key, title) =>
    keep(
      name,
      make("button", { type: "button", class: `lk-button lk-${name}`, title: `${title} (${key})`, "aria-keyshortcuts": key }, text),
    );
  const handle = (name, label) =>
    keep(name, make("div", { class: "lk-handle", role: "slider", tabindex: "0", "aria-label": label, "data-edge": name }));
  keep(
    "root",
    make(
      "div",
      { class: "lk-trace", role: "group", "aria-label": "Slope windows", "data-lm-suppress-shortcuts": "true" },
      make(
        "div",
        { class: "lk-side" },
        keep("progress", make("div", { class: "lk-progress", id: `${id}-progress` })),
        keep("rest", make("div", { class: "lk-rest lk-muted" })),
        keep("bar", make("div", { class: "lk-bar", "aria-hidden": "true" })),
        keep(
          "list",
          make("div", { class: "lk-list", role: "listbox", tabindex: "0", "aria-label": "Traces", "aria-describedby": `${id}-progress` }),
        ),
      ),
      make(
        "div",
        { class: "lk-main" },
        make(
          "div",
          { class: "lk-head" },
          keep("title", make("span", { class: "lk-title" })),
          keep("pill", make("span", { class: "lk-pill" })),
          keep("saved", make("span", { class: "lk-saved" })),
          keep("legend", make("span", { class: "lk-legend" })),
        ),
        keep(
          "plot",
          make(
            "div",
            { class: "lk-plot" },
            keep("canvas", make("canvas", { tabindex: "0", role: "application", "aria-describedby": `${id}-live` })),
            handle("start", "Start of the window"),
            handle("end", "End of the window"),
            keep("hint", make("div", { class: "lk-hint", "aria-hidden": "true", text: "Click the trace to zoom with the wheel, or hold Ctrl" })),
          ),
        ),
        make(
          "div",
          { class: "lk-foot" },
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
        keep(
          "form",
          make(
            "form",
            { class: "lk-form", hidden: "" },
            keep("ask", make("label", { for: `${id}-reason` })),
            keep("reason", make("input", { id: `${id}-reason`, type: "text", maxlength: "300", list: `${id}-reasons`, autocomplete: "off", placeholder: "reason, kept with the data" })),
            make("datalist", { id: `${id}-reasons` }, ...REASONS.map((value) => make("option", { value }))),
            make("button", { type: "submit", class: "lk-button lk-danger", text: "Exclude" }),
            keep("cancel", make("button", { type: "button", class: "lk-button", text: "Cancel" })),
          ),
        ),
        keep("error", make("div", { class: "lk-error", role: "alert" })),
        make(
          "details",
          { class: "lk-keys" },
          make("summary", { text: "Keyboard" }),
          make("dl", {}, ...KEYS.map(([key, what]) => make("div", {}, make("dt", { text: key }), make("dd", { text: what })))),
        ),
        keep("live", make("div", { class: "lk-unseen", id: `${id}-live`, "aria-live": "polite" })),
      ),
    ),
  );
  return part;
}

// -- what changes

export function fillList(part, items, id) {
  part.list.replaceChildren(
    ...items.map((item, i) =>
      make(
        "div",
        { role: "option", id: `${id}-${i}`, class: "lk-row" },
        make("span", { class: "lk-mark" }),
        make("span", { class: "lk-code", text: item.code }),
        make("span", { class: "lk-path", text: item.pathway }),
        make("span", { class: "lk-word" }),
      ),
    ),
  );
}

/** Another trace is open: its name, its legend and its row in the list. */
export function fillTrace({ title, canvas, legend, list }, item, current) {
  title.textContent = `${item.code} · ${item.pathway}`;
  canvas.setAttribute("aria-label", `Mean traces of ${item.code}, pathway ${item.pathway}. Arrow keys move the window.`);
  legend.replaceChildren(
    ...item.labels.map((label, k) =>
      make("span", { class: "lk-key" }, make("span", { class: `lk-line lk-line${k % 4}` }), make("span", { text: label }), make("output", {})),
    ),
  );
  for (const [i, row] of [...list.children].entries()) row.setAttribute("aria-selected", String(i === current));
  const row = list.children[current];
  list.setAttribute("aria-activedescendant", row.id);
  const above = row.offsetTop - list.scrollTop;
  if (above < 0 || above + row.offsetHeight > list.clientHeight) list.scrollTop = row.offsetTop - list.clientHeight / 2;
}

/** What is known of every trace, and of the current one in words. */
export function fillMarks(part, items, marks, current) {
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
    row.title = mark.reason ? `excluded: ${mark.reason}` : items[i].file;
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
  const mark = marks[current];
  part.pill.dataset.status = mark.status;
  part.pill.innerHTML = markOf(mark.status);
  part.pill.append(mark.status === "moved" ? "moved, not yet confirmed" : mark.status + (mark.reason ? `: ${mark.reason}` : ""));
  const latest = marks.filter((one) => one.at && one.fresh).sort((p, q) => (p.at < q.at ? 1 : -1))[0];
  const who = mark.by ? ` by ${mark.by}` : "";
  part.saved.textContent = mark.at ? `saved ${clock(mark.at)}${who}` : latest ? `last saved ${clock(latest.at)}` : "";
  part.exclude.textContent = mark.status === "excluded" ? "Include" : "Exclude…";
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
    const state = { "aria-valuenow": now.toFixed(3), "aria-valuemin": least.toFixed(3), "aria-valuemax": most.toFixed(3), "aria-valuetext": `${now.toFixed(2)} ms` };
    for (const [key, value] of Object.entries(state)) if (node.getAttribute(key) !== value) node.setAttribute(key, value);
  }
  const decimals = Math.max(2, Math.min(4, Math.ceil(-Math.log10(interval(item.t)) + 0.3)));
  const active = part.root.getRootNode().activeElement;
  for (const [field, value] of [[part.from, a], [part.to, b]]) {
    // A number that is being typed is the person's until it is read.
    if (field === active && field.dataset.shown !== field.value) continue;
    field.dataset.shown = field.value = value.toFixed(decimals);
  }
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

/** Hour and minute of a stored pick, with the day when it is not today. */
function clock(at) {
  const when = new Date(at);
  const time = `${String(when.getHours()).padStart(2, "0")}:${String(when.getMinutes()).padStart(2, "0")}`;
  const day = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
  return day(when) === day(new Date()) ? time : `${day(when)} ${time}`;
}
