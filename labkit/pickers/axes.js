// Windows, lines, ticks and zoom: maths that needs no page. Times are in ms, rising; a window is [start, end].

/** Index of the sample nearest to x in the rising times t. */
export function nearest(t, x) {
  let low = 0;
  let high = t.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (t[middle] > x) high = middle;
    else low = middle;
  }
  return x - t[low] <= t[high] - x ? low : high;
}

/** Mean sample interval. */
export const interval = (t) => (t[t.length - 1] - t[0]) / (t.length - 1);

/** Least-squares line through the samples of y inside [a, b]; a thousandth of a sample is forgiven at the edges. */
export function fitLine(t, y, [a, b]) {
  const slack = interval(t) / 1000;
  let n = 0;
  let st = 0;
  let sy = 0;
  const inside = [];
  for (let i = nearest(t, a) - (nearest(t, a) > 0); i < t.length && t[i] <= b + slack; i++) {
    if (t[i] < a - slack || !Number.isFinite(y[i])) continue;
    inside.push(i);
    n += 1;
    st += t[i];
    sy += y[i];
  }
  const mt = st / n;
  const my = sy / n;
  let stt = 0;
  let sty = 0;
  let syy = 0;
  for (const i of inside) {
    stt += (t[i] - mt) ** 2;
    sty += (t[i] - mt) * (y[i] - my);
    syy += (y[i] - my) ** 2;
  }
  const slope = sty / stt;
  return { n, slope, intercept: my - slope * mt, r2: syy > 0 ? (sty * sty) / (stt * syy) : NaN };
}

/** The window moved as a whole by `by`, kept inside [low, high] without changing its width. */
export function shifted([a, b], by, [low, high]) {
  const step = Math.max(low - a, Math.min(by, high - b));
  return [a + step, b + step];
}

/** The window with its edges moved, each kept inside [low, high] and at least `least` apart. */
export function stretched([a, b], byStart, byEnd, [low, high], least) {
  let start = Math.max(low, a + byStart);
  let end = Math.min(high, b + byEnd);
  if (end - start < least * (1 - 1e-9)) {
    if (byStart && byEnd) {
      start = Math.max(low, Math.min((a + b - least) / 2, high - least));
      end = start + least;
    } else if (byStart) start = Math.max(low, end - least);
    else end = Math.min(high, start + least);
  }
  return end - start < least * (1 - 1e-9) ? [a, b] : [start, end];
}

/** Round values (1, 2 or 5 times a power of ten) across [low, high], about `wanted` of them, and their decimals. */
export function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough * 0.75) * power;
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) values.push(k * step);
  return { values, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/** [low, high] magnified by `factor` about the point `at`, no wider than `widest` and no narrower than `least`. */
export function zoomed([low, high], at, factor, widest, least) {
  const span = Math.max(least, Math.min((high - low) / factor, widest[1] - widest[0]));
  const left = at - ((at - low) / (high - low)) * span;
  return shifted([left, left + span], 0, widest);
}

/** A number with a true minus sign. */
export const tell = (value, decimals) =>
  Number.isFinite(value) ? value.toFixed(decimals).replace(/^-(?=0\.?0*$)/, "").replace("-", "\u2212") : "\u2013";
