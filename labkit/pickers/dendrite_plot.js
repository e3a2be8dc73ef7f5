// The canvas of the dendrite picker: the plane, the path with its points, the spines, a scale bar.

import { placeOf, samePlace } from "./dendrite_view.js";

export const CLASSES = ["mushroom", "thin", "stubby", "filopodium", "unclassified"];
/** Colours after the Wong palette, for a dark ground; each class has a shape of its own, so that no one needs them. */
export const CLASS_COLOUR = { mushroom: "#e69f00", thin: "#56b4e9", stubby: "#2fc79a", filopodium: "#e08fc0", unclassified: "#f0e442" };
const GROUND = "#141414";
const PATH = "#ff7a33";

/** Trace the shape of a class around a point. */
export function shapePath(pen, kind, x, y, r) {
  const ring = (n, turn, size) => {
    for (let k = 0; k < n; k++) {
      const a = turn + (2 * Math.PI * k) / n;
      pen[k ? "lineTo" : "moveTo"](x + size * Math.cos(a), y + size * Math.sin(a));
    }
    pen.closePath();
  };
  pen.beginPath();
  if (kind === "mushroom") pen.arc(x, y, r, 0, 2 * Math.PI);
  else if (kind === "thin") ring(3, -Math.PI / 2, 1.25 * r);
  else if (kind === "stubby") ring(4, Math.PI / 4, 1.3 * r);
  else if (kind === "filopodium") ring(4, 0, 1.3 * r);
  else {
    const [a, b] = [0.42 * r, 1.15 * r];
    const outline = [[-a, -b], [a, -b], [a, -a], [b, -a], [b, a], [a, a], [a, b], [-a, b], [-a, a], [-b, a], [-b, -a], [-a, -a]];
    for (const [k, [dx, dy]] of outline.entries()) pen[k ? "lineTo" : "moveTo"](x + dx, y + dy);
    pen.closePath();
  }
}

/** One spine: its shape in the colour of its class, hollow so that the spine is seen; a dot in it where a person marked it. */
export function paintMark(pen, mark, x, y, { chosen = false, pale = false, r = 6 } = {}) {
  pen.globalAlpha = pale ? 0.38 : 1;
  if (mark.origin === "removed") {
    pen.globalAlpha = chosen ? 1 : pale ? 0.3 : 0.85;
    pen.beginPath();
    for (const [dx, dy] of [[1, 1], [1, -1]]) pen.moveTo(x - 4 * dx, y - 4 * dy), pen.lineTo(x + 4 * dx, y + 4 * dy);
    outlined(pen, "#ff8080", 1.5);
  } else {
    shapePath(pen, mark.class, x, y, r);
    outlined(pen, CLASS_COLOUR[mark.class], 1.8);
    if (mark.origin !== "auto") {
      pen.beginPath();
      pen.arc(x, y, 1.7, 0, 2 * Math.PI);
      pen.fillStyle = CLASS_COLOUR[mark.class];
      pen.fill();
    }
  }
  if (chosen) {
    pen.beginPath();
    pen.arc(x, y, r + 6, 0, 2 * Math.PI);
    outlined(pen, "#ffffff", 1.8);
  }
  pen.globalAlpha = 1;
}

/** A line that is seen on bright and on dark. */
function outlined(pen, colour, wide) {
  pen.strokeStyle = "rgba(0, 0, 0, 0.75)";
  pen.lineWidth = wide + 1.8;
  pen.stroke();
  pen.strokeStyle = colour;
  pen.lineWidth = wide;
  pen.stroke();
}

/** The plane in view. */
export function paintFrame(pen, port, frame, canvas) {
  const { scale, voxel, size } = port;
  pen.fillStyle = GROUND;
  pen.fillRect(0, 0, ...size);
  if (!frame) return;
  const [top, , left] = frame.box;
  const [sy, sx] = [voxel[1] * frame.step * scale, voxel[2] * frame.step * scale];
  const [px, py] = port.toPx([(top - 0.5) * voxel[1], (left - 0.5) * voxel[2]]);
  // Only what is in view is scaled.
  const x0 = Math.max(0, Math.floor(-px / sx));
  const y0 = Math.max(0, Math.floor(-py / sy));
  const x1 = Math.min(frame.width, Math.ceil((size[0] - px) / sx));
  const y1 = Math.min(frame.height, Math.ceil((size[1] - py) / sy));
  if (x1 <= x0 || y1 <= y0) return;
  pen.imageSmoothingEnabled = sx < 8;
  pen.imageSmoothingQuality = "medium";
  pen.drawImage(canvas, x0, y0, x1 - x0, y1 - y0, px + x0 * sx, py + y0 * sy, (x1 - x0) * sx, (y1 - y0) * sy);
}

/** What lies on the plane: path, points, spines; pale where it lies at another depth than is seen. */
export function paintShapes(pen, port, { points, line, fresh, marks, chosen, point, mode, isFar, hidden }) {
  if (hidden) return;
  const seen = (list) => list.map((place) => port.toPx([place[1], place[2]]));
  const along = (list) => {
    pen.beginPath();
    for (const [k, [x, y]] of seen(list).entries()) pen[k ? "lineTo" : "moveTo"](x, y);
  };
  pen.lineJoin = "round";
  if (line.length) {
    along(line);
    pen.globalAlpha = fresh ? 0.85 : 0.4;
    outlined(pen, PATH, 1.3);
    pen.globalAlpha = 1;
  }
  if (points.length > 1 && !fresh) {
    pen.setLineDash([5, 5]);
    along(points);
    outlined(pen, PATH, 1.2);
    pen.setLineDash([]);
  }
  for (const [k, [x, y]] of seen(points).entries()) {
    if (mode !== "path" && k && k < points.length - 1) continue; // the ends are enough to see where the path ends
    pen.globalAlpha = mode === "path" ? (isFar(points[k]) ? 0.55 : 1) : 0.6;
    pen.beginPath();
    pen.arc(x, y, mode === "path" ? 5.5 : 3.5, 0, 2 * Math.PI);
    pen.fillStyle = k === point && mode === "path" ? "#ffffff" : PATH;
    outlined(pen, "#1a0d05", 1);
    pen.fill();
    pen.globalAlpha = 1;
  }
  for (const mark of marks) {
    const [x, y] = port.toPx([mark.y, mark.x]);
    const r = Math.max(3.5, Math.min(7, 0.4 * port.scale));
    const isChosen = mark.carried || samePlace(placeOf(mark), chosen);
    paintMark(pen, mark, x, y, { r, chosen: isChosen, pale: !isChosen && (mode === "path" || isFar(placeOf(mark))) });
  }
}

/** The longest of 1, 2, 5, 10, ... micrometres that is no wider than 110 pixels; and what is seen. */
export function paintLegend(pen, port, words, font) {
  const [w, h] = port.size;
  let size = 0.1;
  for (const power of [0.1, 1, 10, 100, 1000]) for (const m of [1, 2, 5]) if (m * power * port.scale <= 110) size = m * power;
  const long = size * port.scale;
  pen.font = `12px ${font}`;
  const plate = (x, y, wide) => {
    pen.fillStyle = "rgba(0, 0, 0, 0.62)";
    pen.fillRect(x, y, wide, 20);
    pen.fillStyle = "#fff";
  };
  const bar = `${size} µm`;
  const wide = Math.max(long, pen.measureText(bar).width) + 16;
  pen.textBaseline = "middle";
  pen.textAlign = "center";
  pen.fillStyle = "rgba(0, 0, 0, 0.62)";
  pen.fillRect(8, h - 36, wide, 28);
  pen.fillStyle = "#fff";
  pen.fillText(bar, 8 + wide / 2, h - 26);
  pen.fillRect(8 + (wide - long) / 2, h - 15, long, 3);
  const told = pen.measureText(words).width + 14;
  plate(w - told - 8, h - 28, told);
  pen.fillText(words, w - told / 2 - 8, h - 18);
}

/** A cross in the middle, where the keyboard puts a point. */
export function paintCross(pen, [w, h]) {
  pen.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    pen.moveTo(w / 2 + 4 * dx, h / 2 + 4 * dy);
    pen.lineTo(w / 2 + 13 * dx, h / 2 + 13 * dy);
  }
  outlined(pen, "#ffffff", 1.4);
}
