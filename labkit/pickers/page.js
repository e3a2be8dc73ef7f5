// Parts of the page that every picker has: the list of items with their status, buttons, the form for a reason,
// the table of keys, and the words filled into them.

const MARK = {
  proposed: '<circle cx="8" cy="8" r="4.6" fill="none" stroke="currentColor" stroke-width="1.6"/>',
  moved: '<path d="M8 2.6 13.4 8 8 13.4 2.6 8Z" fill="none" stroke="currentColor" stroke-width="1.6"/>',
  confirmed: '<path d="M2.8 8.6 6.4 12 13.2 4.4" fill="none" stroke="currentColor" stroke-width="2.2"/>',
  changed: '<path d="M8 2 14 8 8 14 2 8Z" fill="currentColor"/>',
  excluded: '<path d="M3.6 3.6 12.4 12.4M12.4 3.6 3.6 12.4" fill="none" stroke="currentColor" stroke-width="2.2"/>',
};

const markOf = (kind) => `<svg viewBox="0 0 16 16" aria-hidden="true">${MARK[kind]}</svg>`;

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

/** Makers of the parts that pickers share; what they keep is found by name in `part`. */
export function maker(id) {
  const part = {};
  const keep = (name, node) => (part[name] = node);
  const box = (name, ...children) => make("div", { class: `lk-${name}` }, ...children);
  return {
    part,
    keep,
    box,
    number: (name, label, attributes = {}) =>
      keep(name, make("input", { type: "number", class: "lk-number", "aria-label": label, step: "any", ...attributes })),
    button: (name, text, key, title) =>
      keep(
        name,
        make("button", {
          type: "button",
          class: `lk-button lk-${name}`,
          title: key ? `${title} (${key})` : title,
          ...(key && { "aria-keyshortcuts": key }),
          ...(text.length === 1 && { "aria-label": title }),
          text,
        }),
      ),
    handle: (name, label, attributes = {}) =>
      keep(name, make("div", { class: "lk-handle", role: "slider", tabindex: "0", "aria-label": label, "data-edge": name, ...attributes })),
    root: (kind, label, ...children) =>
      keep("root", make("div", { class: `lk-picker lk-${kind}`, role: "group", "aria-label": label, "data-lm-suppress-shortcuts": "true" }, ...children)),
    side: (label) =>
      box(
        "side",
        keep("progress", make("div", { class: "lk-progress", id: `${id}-progress` })),
        keep("rest", make("div", { class: "lk-rest lk-muted" })),
        keep("bar", make("div", { class: "lk-bar", "aria-hidden": "true" })),
        keep("list", make("div", { class: "lk-list", role: "listbox", tabindex: "0", "aria-label": label, "aria-describedby": `${id}-progress` })),
      ),
    head: (...children) =>
      box(
        "head",
        keep("title", make("span", { class: "lk-title" })),
        keep("pill", make("span", { class: "lk-pill" })),
        keep("saved", make("span", { class: "lk-saved" })),
        ...children,
      ),
    canvas: () => keep("canvas", make("canvas", { tabindex: "0", role: "application", "aria-describedby": `${id}-live` })),
    hint: (text) => keep("hint", make("div", { class: "lk-hint", "aria-hidden": "true", text })),
    /** The form for a reason, what went wrong, the keys, and what a screen reader says. */
    ends: (reasons, keys) => [
      keep(
        "form",
        make(
          "form",
          { class: "lk-form", hidden: "" },
          keep("ask", make("label", { for: `${id}-reason` })),
          keep("reason", make("input", { id: `${id}-reason`, type: "text", maxlength: "300", list: `${id}-reasons`, autocomplete: "off", placeholder: "reason, kept with the data" })),
          make("datalist", { id: `${id}-reasons` }, ...reasons.map((value) => make("option", { value }))),
          make("button", { type: "submit", class: "lk-button lk-danger", text: "Exclude" }),
          keep("cancel", make("button", { type: "button", class: "lk-button", text: "Cancel" })),
        ),
      ),
      keep("error", make("div", { class: "lk-error", role: "alert" })),
      make(
        "details",
        { class: "lk-keys" },
        make("summary", { text: "Keyboard" }),
        make("dl", {}, ...keys.map(([key, what]) => make("div", {}, make("dt", { text: key }), make("dd", { text: what })))),
      ),
      keep("live", make("div", { class: "lk-unseen", id: `${id}-live`, "aria-live": "polite" })),
    ],
  };
}

/** One row an item: its mark, its code, what else names it (`label`, `more`), its status in a word. */
export function fillList(part, items, id) {
  part.list.replaceChildren(
    ...items.map((item, i) =>
      make(
        "div",
        { role: "option", id: `${id}-${i}`, class: "lk-row" },
        make("span", { class: "lk-mark" }),
        make("span", { class: "lk-code", text: item.code }),
        make("span", { class: "lk-path", text: item.label }),
        make("span", { class: "lk-sub", text: item.more ?? "" }),
        make("span", { class: "lk-word" }),
      ),
    ),
  );
}

/** Another item is open: its row in the list is chosen and in view. */
export function fillRow({ list }, current) {
  for (const [i, row] of [...list.children].entries()) row.setAttribute("aria-selected", String(i === current));
  const row = list.children[current];
  list.setAttribute("aria-activedescendant", row.id);
  const above = row.offsetTop - list.scrollTop;
  if (above < 0 || above + row.offsetHeight > list.clientHeight) list.scrollTop = row.offsetTop - list.clientHeight / 2;
}

/** What is known of every item, and of the current one in words. */
export function fillMarks(part, items, marks, current) {
  const count = {};
  for (const [i, mark] of marks.entries()) {
    count[mark.status] = (count[mark.status] ?? 0) + 1;
    const row = part.list.children[i];
    if (row.dataset.status !== mark.status || row.dataset.problem !== String(!!mark.problem)) {
      row.dataset.status = mark.status;
      row.dataset.problem = String(!!mark.problem);
      row.children[0].innerHTML = markOf(mark.status);
      row.lastChild.textContent = mark.problem ? "check again" : mark.status;
    }
    row.title = mark.reason ? `excluded: ${mark.reason}` : items[i].file;
  }
  const done = (count.confirmed ?? 0) + (count.changed ?? 0);
  const open = marks.length - done - (count.excluded ?? 0);
  part.progress.textContent = `${done} of ${marks.length} confirmed`;
  part.rest.textContent = [open ? `${open} to do` : "nothing left to do", count.excluded && `${count.excluded} excluded`].filter(Boolean).join(", ");
  part.bar.replaceChildren(
    ...["confirmed", "changed", "excluded"].map((status) => make("span", { "data-status": status, style: `flex-grow:${count[status] ?? 0}` })),
    make("span", { style: `flex-grow:${open}` }),
  );
  const mark = marks[current];
  part.pill.dataset.status = mark.status;
  part.pill.innerHTML = markOf(mark.status);
  part.pill.append(mark.status === "moved" ? "moved, not yet confirmed" : mark.status + (mark.reason ? `: ${mark.reason}` : ""));
  const latest = marks.filter((one) => one.at && one.fresh).sort((p, q) => (p.at < q.at ? 1 : -1))[0];
  const who = mark.by ? ` by ${mark.by}` : "";
  part.saved.textContent = mark.at ? `saved ${clock(mark.at)}${who}` : latest ? `last saved ${clock(latest.at)}` : "";
}

/** Attributes of a node, written only where they differ. */
export function setAll(node, values) {
  for (const [key, value] of Object.entries(values)) if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value);
}

/** A number field, unless a number is being typed into it. */
export function fillNumber(root, field, text) {
  const active = root.getRootNode().activeElement;
  if (field === active && field.dataset.shown !== field.value) return;
  field.dataset.shown = field.value = text;
}

/** Colours of the page's theme by name; the picker's own ones differ between dark and light ground. */
export function readColours(root, names) {
  let ground = "";
  for (let node = root.parentElement; node && !ground; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (!/^(transparent|rgba\(.*, 0\))$/.test(colour)) ground = colour;
  }
  const [r, g, b] = (ground.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  root.dataset.ground = 0.299 * r + 0.587 * g + 0.114 * b < 128 ? "dark" : "light";
  const style = getComputedStyle(root);
  return { ...Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--lk-${name}`).trim()])), font: style.fontFamily };
}

/** Hour and minute of a stored pick, with the day when it is not today. */
function clock(at) {
  const when = new Date(at);
  const time = `${String(when.getHours()).padStart(2, "0")}:${String(when.getMinutes()).padStart(2, "0")}`;
  const day = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;
  return day(when) === day(new Date()) ? time : `${day(when)} ${time}`;
}
