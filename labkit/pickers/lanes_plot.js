// The canvas of the lanes picker: the uncropped image with lanes and windows on it, and the profile of the current lane.

import { tell } from "./axes.js";
import { boxesOf, centreAt, stripsOf } from "./lanes_shape.js";

// Over the image, which is the same in every theme: each line has a pale seam, so that it shows on dark bands too.
const LANE = "#0067a3";
const WINDOW = "#b35900";
const OUT = "#c2260a";
const STRIP = "rgb(0 130 60 / 28%)";
const REGION = "#5b5b5b";
const SEAM = "rgb(255 255 255 / 65%)";

/** How the canvas is shared: the image at the left, the profile beside it with the same rows. */
export function frames([width, height]) {
  const beside = Math.round(Math.max(92, Math.min(190, width * 0.2)));
  return { image: [width - beside, height], profile: { left: width - beside + 8, width: beside - 8, height } };
}

/**
 * Where the number of lane k stands at its upper (0) or lower (1) end: on its line, kept in sight. Only where the end
 * itself is in sight is the number its grip.
 */
export function numberAt({ lanes, view, size }, k, end) {
  const row = (lanes.roi[end] - view.y) * view.scale;
  const y = Math.max(9, Math.min(size[1] - 9, row));
  const x = (centreAt(lanes, k, view.y + y / view.scale) - view.x) * view.scale;
  return { x, y, grips: Math.abs(row - y) <= 12 };
}

/** Places on the canvas of what can be dragged in the current lane and around all lanes: [x, y] by name. */
export function placesOf(scene) {
  const { lanes, band, lane, view } = scene;
  const [top, bottom, left, right] = lanes.roi;
  const at = (x, y) => [(x - view.x) * view.scale, (y - view.y) * view.scale];
  const boxes = boxesOf(lanes, band);
  const box = boxes[lane];
  const ends = [0, 1].map((end) => numberAt(scene, lane, end)).map(({ x, y }) => [x, y]);
  const onLine = top + (bottom - top) * 0.25;
  return {
    window: at(box.left + (box.right - box.left) * 0.25, box.y),
    height: at(box.x, box.bottom),
    centre: at(box.x, box.y),
    breadth: at(box.right, box.y),
    lane: at(centreAt(lanes, lane, onLine), onLine),
    top: ends[0],
    bottom: ends[1],
    roi0: at((left + right) / 2, top),
    roi1: at((left + right) / 2, bottom),
    roi2: at(left, (top + bottom) / 2),
    roi3: at(right, (top + bottom) / 2),
  };
}

export function paintBlot(pen, scene) {
  const { size, image, colours } = scene;
  const { image: frame, profile } = frames(size);
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, ...size);
  pen.font = `12px ${colours.font}`;
  pen.textBaseline = "middle";
  pen.save();
  pen.beginPath();
  pen.rect(0, 0, ...frame);
  pen.clip();
  pen.fillStyle = colours.blank;
  pen.fillRect(0, 0, ...frame);
  if (image) image.draw(pen, scene.view, frame, scene.look, scene.turned, scene.ratio);
  paintShapes(pen, scene);
  pen.restore();
  if (!image) {
    pen.fillStyle = colours.ink;
    pen.textAlign = "center";
    pen.fillText("The image is on its way…", frame[0] / 2, frame[1] / 2);
  } else paintProfile(pen, scene, profile);
}

function paintShapes(pen, scene) {
  const { lanes, band, lane, view, out, roles, strips, excluded } = scene;
  const px = (x) => (x - view.x) * view.scale;
  const py = (y) => (y - view.y) * view.scale;
  const boxes = boxesOf(lanes, band);
  const [top, bottom, left, right] = lanes.roi;
  const line = (colour, wide, dash, path) => {
    pen.beginPath();
    path();
    pen.strokeStyle = SEAM;
    pen.lineWidth = wide + 2;
    pen.stroke();
    pen.setLineDash(dash);
    pen.strokeStyle = colour;
    pen.lineWidth = wide;
    pen.stroke();
    pen.setLineDash([]);
  };
  pen.globalAlpha = excluded ? 0.45 : 1;
  line(REGION, 1, [6, 5], () => pen.rect(px(left), py(top), (right - left) * view.scale, (bottom - top) * view.scale));

  pen.fillStyle = STRIP;
  const [gap, thick] = stripsOf(band, strips);
  for (const box of boxes)
    for (const y of [box.top - gap - thick, box.bottom + gap])
      pen.fillRect(px(box.left), py(y), (box.right - box.left) * view.scale, thick * view.scale);

  // The line of a lane stops at its box, where the band is.
  const path = (k) => {
    for (const [from, to] of [[top, Math.min(bottom, boxes[k].top)], [Math.max(top, boxes[k].bottom), bottom]]) {
      if (to <= from) continue;
      pen.moveTo(px(centreAt(lanes, k, from)), py(from));
      pen.lineTo(px(centreAt(lanes, k, to)), py(to));
    }
  };
  const rect = (box) => pen.rect(px(box.left), py(box.top), (box.right - box.left) * view.scale, (box.bottom - box.top) * view.scale);
  line(LANE, 1, [], () => boxes.forEach((_, k) => k !== lane && path(k)));
  line(LANE, 2.2, [], () => path(lane));
  line(WINDOW, 1.4, [], () => boxes.forEach((box, k) => k !== lane && rect(box)));
  line(WINDOW, 2.6, [], () => rect(boxes[lane]));
  line(OUT, 2, [], () => {
    for (const k of Object.keys(out).map((number) => number - 1)) {
      const box = boxes[k];
      if (!box) continue;
      pen.moveTo(px(box.left), py(box.top)), pen.lineTo(px(box.right), py(box.bottom));
      pen.moveTo(px(box.left), py(box.bottom)), pen.lineTo(px(box.right), py(box.top));
    }
  });

  // The grips of the current lane's box: its centre, its sides, its upper and lower edge.
  const box = boxes[lane];
  const spot = (x, y) => (pen.moveTo(x + 3.5, y), pen.arc(x, y, 3.5, 0, 2 * Math.PI));
  if ((box.right - box.left) * view.scale > 26) {
    pen.beginPath();
    spot(px(box.x), py(box.y));
    for (const x of [box.left, box.right]) spot(px(x), py(box.y));
    for (const y of [box.top, box.bottom]) spot(px(box.x), py(y));
    pen.fillStyle = "#fff";
    pen.fill();
    pen.strokeStyle = WINDOW;
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  // Numbers at both ends of each lane, kept in sight; they are the grips that tilt it.
  pen.textAlign = "center";
  pen.font = pen.font.replace(/^\d+px/, "11px");
  const most = lanes.lanes.length - 1;
  const pitch = most ? ((lanes.lanes[most][0] - lanes.lanes[0][0]) / most) * view.scale : Infinity;
  const apart = Math.max(1, Math.ceil((most < 9 ? 16 : 22) / pitch));
  for (const end of [0, 1]) {
    lanes.lanes.forEach((_, k) => {
      if (k % apart && k !== lane) return; // no room for all
      const { x, y: row } = numberAt(scene, k, end);
      const words = String(k + 1);
      const wide = Math.max(14, 7 * words.length + 5);
      pen.fillStyle = k === lane ? LANE : "rgb(255 255 255 / 88%)";
      pen.strokeStyle = out[k + 1] ? OUT : LANE;
      pen.lineWidth = 1;
      pen.setLineDash(roles[k] && roles[k] !== "sample" ? [2, 2] : []);
      pen.beginPath();
      pen.roundRect(x - wide / 2, row - 8, wide, 16, 4);
      pen.fill();
      pen.stroke();
      pen.fillStyle = k === lane ? "#fff" : out[k + 1] ? OUT : LANE;
      pen.fillText(words, x, row + 0.5);
    });
  }
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

/** The profile of the current lane, turned so that its rows are those of the image beside it. */
function paintProfile(pen, { profile, image, band, lane, roles, view, strips, colours }, { left, width, height }) {
  const py = (y) => (y - view.y) * view.scale;
  const row = (y) => Math.max(0, Math.min(profile.length - 1, Math.round(y / image.factor - 0.5)));
  const [first, last] = [row(view.y), row(view.y + height / view.scale)];
  let [low, high] = [Infinity, -Infinity];
  for (let i = first; i <= last; i++) {
    if (profile[i] < low) low = profile[i];
    if (profile[i] > high) high = profile[i];
  }
  if (!(high > low)) [low, high] = Number.isFinite(low) ? [low, low + 0.01] : [0, 1];
  const room = width - 10;
  const px = (value) => left + 4 + ((value - low) / (high - low)) * room;
  const [y, half] = [band.centres[lane], band.half_height];
  const median = (a, b) => {
    const values = [...profile.subarray(row(a), row(b) + 1)].filter(Number.isFinite).sort((p, q) => p - q);
    return values.length ? values[values.length >> 1] : NaN;
  };
  const [gap, thick] = stripsOf(band, strips);
  const above = median(y - half - gap - thick, y - half - gap);
  const below = median(y + half + gap, y + half + gap + thick);

  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width, height);
  pen.clip();
  pen.fillStyle = colours.span;
  pen.fillRect(left, py(y - half), width, 2 * half * view.scale);
  pen.fillStyle = STRIP;
  for (const at of [y - half - gap - thick, y + half + gap]) pen.fillRect(left, py(at), width, thick * view.scale);
  const trace = (from, to) => {
    for (let i = from; i <= to; i++) if (Number.isFinite(profile[i])) pen.lineTo(px(profile[i]), py((i + 0.5) * image.factor));
  };
  pen.strokeStyle = colours.muted;
  pen.lineWidth = 1.3;
  pen.beginPath();
  trace(first, last);
  pen.stroke();
  if (Number.isFinite(above) && Number.isFinite(below)) {
    // What is summed: the area between the profile and the line from strip to strip.
    pen.beginPath();
    pen.moveTo(px(above), py(y - half));
    trace(row(y - half), row(y + half));
    pen.lineTo(px(below), py(y + half));
    pen.closePath();
    pen.globalAlpha = 0.35;
    pen.fillStyle = colours.edge;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = colours.edge;
    pen.stroke();
  }
  pen.restore();

  pen.strokeStyle = colours.line;
  pen.lineWidth = 1;
  pen.strokeRect(left + 0.5, 0.5, width - 1, height - 1);
  pen.fillStyle = colours.ink;
  pen.font = pen.font.replace(/^\d+px/, "11px");
  pen.textAlign = "left";
  const range = image.high - image.low;
  const most = (high - low) * range * 0.8;
  const power = 10 ** Math.floor(Math.log10(most));
  const scale = power * [5, 2, 1].find((m) => m * power <= most);
  const bar = (scale / range / (high - low)) * room;
  const told = scale >= 1000 ? `${tell(scale / 1000, 0)} 000` : tell(scale, 0);
  pen.globalAlpha = 0.85;
  pen.fillStyle = colours.ground;
  pen.fillRect(left + 1, 1, width - 2, 20);
  pen.fillRect(left + 1, height - 25, width - 2, 24);
  pen.globalAlpha = 1;
  pen.fillStyle = colours.ink;
  const role = roles[lane] && roles[lane] !== "sample" ? `, ${roles[lane]}` : "";
  pen.fillText(`Lane ${lane + 1}${role}`, left + 6, 11);
  pen.fillText(told, left + 6, height - 15);
  pen.fillRect(left + 4, height - 6, bar, 2);
}
