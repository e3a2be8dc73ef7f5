// What the trace picker is made of: elements, marks and the table of keys. What changes is filled in by trace.js.

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

/** A new element; `attributes` may hold text, html and event listeners (onclick). */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name === "html") node.innerHTML = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export const markOf = (kind) => `<svg viewBox="0 0 16 16" aria-hidden="true">${MARK[kind]}</svg>`;

/** Everything that is seen, built once; what changes is filled in by `TraceView`. */
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
