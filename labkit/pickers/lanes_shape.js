// Lanes and windows: maths that needs no page. All in pixels of the uncropped image; pixel i reaches from i to i + 1.
//
// lanes: { roi: [top, bottom, left, right], lanes: [[x at top, x at bottom, half width], ...] }
// band: { centres: [row in each lane, ...], half_height }
// No function changes what it is given.

const LEAST_ROI = 20;
const LEAST_HALF = 1;
const kept = (value) => Math.round(value * 100) / 100; // as it is stored
const within = (value, low, high) => Math.max(low, Math.min(high, value));

/** Column of the centre line of lane k at row y. */
export function centreAt({ roi, lanes }, k, y) {
  const [a, b] = lanes[k];
  return a + ((b - a) * (y - roi[0])) / (roi[1] - roi[0]);
}

/** The box of each lane. */
export function boxesOf(lanes, band) {
  return lanes.lanes.map(([, , half], k) => {
    const y = band.centres[k];
    const x = centreAt(lanes, k, y);
    return { x, y, left: x - half, right: x + half, top: y - band.half_height, bottom: y + band.half_height };
  });
}

/** Distance of the strips of background from the window, and their height. */
export const stripsOf = ({ half_height }, strips) => strips.map(([part, least]) => Math.max(part * half_height, least));

const middle = (lane) => (lane[0] + lane[1]) / 2;

/** Lane k with its ends moved sideways, kept between its neighbours and on the image. */
export function withLane(lanes, k, byTop, byBottom, [, width]) {
  const all = lanes.lanes;
  const low = k > 0 ? middle(all[k - 1]) + 1 : 0;
  const high = k < all.length - 1 ? middle(all[k + 1]) - 1 : width;
  const [a, b, half] = all[k];
  const moved = [a + byTop, b + byBottom];
  const excess = within(middle(moved), low, high) - middle(moved);
  const part = byTop || byBottom ? (2 * excess) / (Math.abs(byTop) + Math.abs(byBottom)) : 0;
  const lane = [kept(moved[0] + part * Math.abs(byTop)), kept(moved[1] + part * Math.abs(byBottom)), half];
  return { ...lanes, lanes: all.map((other, i) => (i === k ? lane : other)) };
}

/** Lanes wider by `by` at either side: all of them, or lane k alone. */
export function withWidth(lanes, by, [, width], k = null) {
  const wider = ([a, b, half]) => [a, b, kept(within(half + by, LEAST_HALF, width / 2))];
  return { ...lanes, lanes: lanes.lanes.map((lane, i) => (k === null || k === i ? wider(lane) : lane)) };
}

/** The window moved as a whole, or in lane k alone; its rows stay on the image. */
export function withRows(band, by, [height], k = null) {
  const rows = k === null ? band.centres : [band.centres[k]];
  const step = within(by, -Math.min(...rows), height - Math.max(...rows));
  return { ...band, centres: band.centres.map((row, i) => (k === null || k === i ? kept(row + step) : row)) };
}

/** The window higher by `by` at either side. */
export const withHeight = (band, by, [height]) => ({ ...band, half_height: kept(within(band.half_height + by, LEAST_HALF, height / 2)) });

/** An edge of the region (0 top, 1 bottom, 2 left, 3 right) moved; the lines of the lanes are made longer or shorter. */
export function withEdge(lanes, edge, by, [height, width]) {
  const roi = [...lanes.roi];
  const most = edge < 2 ? height : width;
  if (edge % 2 === 0) roi[edge] = kept(within(roi[edge] + by, 0, roi[edge + 1] - LEAST_ROI));
  else roi[edge] = kept(within(roi[edge] + by, roi[edge - 1] + LEAST_ROI, most));
  const ends = lanes.lanes.map(([, , half], k) => [kept(centreAt(lanes, k, roi[0])), kept(centreAt(lanes, k, roi[1])), half]);
  return { roi, lanes: ends };
}

// -- what is in view: the place on the image at the upper left corner, and CSS pixels per pixel of the image

/** The whole image, in the middle of the frame. */
export function wholeView([height, width], [wide, tall]) {
  const scale = Math.min(wide / width, tall / height);
  return { x: (width - wide / scale) / 2, y: (height - tall / scale) / 2, scale };
}

/** Kept so that the image fills the frame, or lies whole inside it. */
export function keptView({ x, y, scale }, [height, width], [wide, tall]) {
  const along = (at, size, frame) => (size * scale <= frame ? (size - frame / scale) / 2 : within(at, 0, size - frame / scale));
  return { x: along(x, width, wide), y: along(y, height, tall), scale };
}

/** Magnified about a place in the frame, from the whole image to 40 CSS pixels a pixel. */
export function zoomedView(view, factor, [px, py], shape, frame) {
  const scale = within(view.scale * factor, wholeView(shape, frame).scale, 40);
  const moved = { x: view.x + px / view.scale - px / scale, y: view.y + py / view.scale - py / scale, scale };
  return keptView(moved, shape, frame);
}

// -- grey values of the copy: 255 times the root of where a value lies between least and greatest

/** Part of the range of each grey, as protein; turned round where the polarity is another one. */
export const signalOf = (grey, turned) => (turned ? 1 - (grey / 255) ** 2 : (grey / 255) ** 2);

/** Where so many parts of the pixels lie below, as a part of the range. */
export function partBelow(greys, part, turned) {
  const count = new Float64Array(256);
  for (const grey of greys) count[grey] += 1;
  let sum = 0;
  const order = [...count.keys()].map((k) => (turned ? 255 - k : k));
  for (const grey of order) {
    sum += count[grey];
    if (sum >= part * greys.length) return signalOf(grey, turned);
  }
  return 1;
}

/** Colour of each grey as the canvas stores it: protein dark, unless inverted. */
export function lookup({ low, high, gamma, inverted }, turned) {
  const table = new Uint32Array(256);
  for (let grey = 0; grey < 256; grey++) {
    const part = within((signalOf(grey, turned) - low) / Math.max(1e-6, high - low), 0, 1) ** gamma;
    const shade = Math.round(255 * (inverted ? part : 1 - part));
    table[grey] = (0xff000000 | (shade << 16) | (shade << 8) | shade) >>> 0;
  }
  return table;
}

/** Mean over the width of lane k in each row of the copy, as parts of the range; NaN where the lane is off the image. */
export function profileOf({ grey, width, height, factor }, lanes, k, turned) {
  const linear = Float64Array.from({ length: 256 }, (_, q) => signalOf(q, turned));
  const half = lanes.lanes[k][2];
  return Float64Array.from({ length: height }, (_, row) => {
    const x = centreAt(lanes, k, (row + 0.5) * factor);
    const first = Math.max(0, Math.round((x - half) / factor));
    const last = Math.min(width, Math.max(Math.round((x + half) / factor), first + 1));
    let sum = 0;
    for (let i = row * width + first; i < row * width + last; i++) sum += linear[grey[i]];
    return last > first ? sum / (last - first) : NaN;
  });
}
