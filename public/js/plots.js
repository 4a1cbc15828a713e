// Draws the plots of a page with uPlot, in place of the SVG that came with it, and keeps them up to date. The numbers come from the
// API that everybody else uses.
import uPlot from '../uplot/uPlot.js';
import { base, headers, whileSeen } from './page.js';
import { dayLocale, word } from './words.js';

/** How often new values are fetched, in ms: no more often than there are any. */
const FRESH_MS = 10_000;
const HEIGHT = 180;
const dark = matchMedia('(prefers-color-scheme: dark)');

const units = ['B', 'kB', 'MB', 'GB', 'TB'];
const formats = {
  bytes(value) {
    let size = value;
    let unit = 0;
    for (; size >= 999.5 && unit < units.length - 1; unit += 1) size /= 1_000;
    return `${size >= 9.95 ? Math.round(size) : Number(size.toFixed(1))} ${units[unit]}`;
  },
  share: (value) => `${value < 0.0995 ? Number((value * 100).toFixed(1)) : Math.round(value * 100)} %`,
  ms: (value) =>
    value < 999.5 ? word('ms', { n: Math.round(value) }) : word('s', { n: Number((value / 1_000).toFixed(1)) }),
  count: (value) =>
    value >= 10_000
      ? `${Number((value / 1_000).toFixed(value < 100_000 ? 1 : 0))}k`
      : String(Math.round(value * 10) / 10),
};
/** The least that a scale shows: the noise of an idle app is not a mountain. */
const least = { bytes: 1e6, share: 0.01, ms: 10, count: 4 };

/** Draws all plots within an element. */
export function plots(root) {
  const figures = [...root.querySelectorAll('[data-plot]')].map((figure) => new Figure(figure));
  const fetchAll = async () => {
    try {
      const answer = await fetch(base + root.dataset.plots.slice(base.length), { headers, credentials: 'same-origin' });
      if (!answer.ok) return;
      const found = await answer.json();
      for (const figure of figures) figure.show(found);
    } catch {
      // Not reachable: the plots stay as they are, and the page says that the connection is lost.
    }
  };
  let timer;
  const step = Number(root.dataset.step) * 1_000;
  const begin = () => {
    void fetchAll();
    timer = setInterval(fetchAll, Math.max(FRESH_MS, Math.min(step, 300_000)));
  };
  whileSeen(
    begin,
    () => clearInterval(timer),
    () => undefined,
  );
  dark.addEventListener('change', () => figures.forEach((figure) => figure.redraw()));
  new window.ResizeObserver(() => figures.forEach((figure) => figure.resize())).observe(root);
}

class Figure {
  constructor(figure) {
    this.figure = figure;
    this.area = figure.querySelector('[data-area]');
    this.values = [...figure.querySelectorAll('[data-value]')];
    this.fields = figure.dataset.fields.split(' ');
    this.unit = figure.dataset.unit;
    this.marks = [];
  }

  show({ times, series, marks = [] }) {
    this.marks = marks;
    this.data = [times, ...this.fields.map((field) => series[field])];
    if (this.plot === undefined) this.draw();
    else this.plot.setData(this.data, true);
    this.tell(null);
  }

  draw() {
    // Drawn again in other colours, it is still the same.
    const label = this.area.querySelector('svg')?.getAttribute('aria-label');
    this.area.replaceChildren();
    this.area.setAttribute('role', 'img');
    if (label != null) this.area.setAttribute('aria-label', label);
    this.plot = new uPlot(this.options(), this.data, this.area);
  }

  redraw() {
    if (this.plot === undefined) return;
    this.plot.destroy();
    this.draw();
  }

  resize() {
    const width = this.area.clientWidth;
    if (this.plot !== undefined && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  /** Writes the values under the cursor beside the names of the lines; of the last step that was measured where there is none. */
  tell(at) {
    const format = formats[this.unit];
    for (const [place, element] of this.values.entries()) {
      const values = this.data[place + 1];
      const value = at === null ? values.findLast((one) => one !== null) : values[at];
      element.textContent = value === null || value === undefined ? '–' : format(value);
    }
  }

  options() {
    const style = window.getComputedStyle(this.figure);
    const colour = (name) => style.getPropertyValue(name).trim();
    const font = `12px ${colour('--sans')}`;
    const axis = {
      stroke: colour('--soft'),
      font,
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.area.clientWidth,
      height: HEIGHT,
      padding: [16, 8, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: 'page' }, points: { size: 7 }, y: false, drag: { x: true, y: false } },
      scales: {
        x: { time: true },
        y: { range: (_plot, _low, high) => [0, Math.max(least[this.unit], (high ?? 0) * 1.1)] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, gap: 6, space: 60, values: timesOf },
        { ...axis, size: 62, gap: 6, space: 36, values: (_plot, splits) => splits.map(formats[this.unit]) },
      ],
      series: [
        {},
        ...this.fields.map((field, place) => ({
          label: field,
          stroke: colour(`--plot-${place + 1}`),
          width: 1.75,
          dash: place % 2 === 1 ? [5, 3] : [],
          fill: place === 0 ? colour('--plot-wash') : undefined,
          points: { show: (_plot, series, from, to) => isAlone(this.data[series], from, to), size: 4 },
          spanGaps: false,
        })),
      ],
      hooks: {
        setCursor: [(plot) => this.tell(plot.cursor.idx ?? null)],
        draw: [(plot) => this.drawMarks(plot, colour)],
      },
    };
  }

  /** Draws a line where a release became live, and where a deploy failed. */
  drawMarks(plot, colour) {
    const { ctx, bbox } = plot;
    const ratio = window.devicePixelRatio;
    ctx.save();
    ctx.lineWidth = ratio;
    ctx.font = `${11 * ratio}px ${colour('--sans')}`;
    ctx.textAlign = 'center';
    let free = -Infinity;
    for (const { time, kind, release } of this.marks) {
      const x = Math.round(plot.valToPos(time, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const bad = kind !== 'release';
      ctx.strokeStyle = ctx.fillStyle = colour(bad ? '--bad' : '--soft');
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const text = bad ? '×' : String(release);
      const half = ctx.measureText(text).width / 2;
      if (x - half < free) continue;
      ctx.fillText(text, x, bbox.top - 4 * ratio);
      free = x + half + 4 * ratio;
    }
    ctx.restore();
  }
}

/** True where every value stands between gaps, so that a line would show nothing. */
function isAlone(values, from, to) {
  for (let place = from; place <= to; place += 1)
    if (values[place] !== null && (values[place + 1] ?? null) !== null) return false;
  return true;
}

const two = (number) => String(number).padStart(2, '0');

/** Times as the reader's clock has them: hours within a day, days beyond. */
function timesOf(_plot, splits) {
  const days = splits.length > 1 && splits[1] - splits[0] >= 86_400;
  return splits.map((time) => {
    const date = new Date(time * 1_000);
    const midnight = date.getHours() === 0 && date.getMinutes() === 0;
    return days || midnight
      ? date.toLocaleDateString(dayLocale, { day: 'numeric', month: 'short' })
      : `${two(date.getHours())}:${two(date.getMinutes())}`;
  });
}
