// Charts by TradingView's lightweight-charts, loaded only where a chart is drawn.

import { h } from "./dom.js";
import { clock, day, number, when } from "./format.js";

const ADDRESS = "/vendor/lightweight-charts-5.2.0.js";
let library = null;

/** The library; it puts itself into the window. */
export function charts() {
  // A page that is one file has it already.
  library ??= window.LightweightCharts ? Promise.resolve(window.LightweightCharts) : import(ADDRESS).then(() => window.LightweightCharts);
  return library;
}

/** A colour of the design as the canvas takes it: `name` is a custom property. */
export function colour(name) {
  const probe = h("span", { class: "probe" });
  document.body.append(probe);
  probe.style.setProperty("color", `var(--${name})`);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** The same with some transparency. */
export const faded = (name, share) => colour(name).replace(/^rgba?\(([^,)]+),([^,)]+),([^,)]+).*\)$/, `rgba($1,$2,$3,${share})`);

const SLOTS = 8;
export const slotColour = (slot) => colour(`s${slot % SLOTS}`);

const look = () => ({
  layout: { background: { color: "transparent" }, textColor: colour("soft"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12,
    panes: { separatorColor: colour("line"), separatorHoverColor: faded("accent", 0.2), enableResize: true }, attributionLogo: false },
  grid: { vertLines: { color: faded("line", 0.5) }, horzLines: { color: faded("line", 0.5) } },
  crosshair: { mode: 0, vertLine: { color: colour("soft"), labelBackgroundColor: colour("accent-hover") }, horzLine: { color: colour("soft"), labelBackgroundColor: colour("accent-hover") } },
  rightPriceScale: { borderColor: colour("line"), entireTextOnly: true },
  timeScale: { borderColor: colour("line") },
});

const tickMark = (at, kind) => (kind <= 2 ? day(at) : kind === 3 ? clock(at).slice(0, 5) : clock(at));

/** A chart in `host`, in the reader's time zone, that follows theme and size; `label` says to a screen reader what it shows. */
export async function makeChart(host, label, options = {}) {
  const { createChart } = await charts();
  host.replaceChildren();
  const plot = h("div", { class: "chart-plot", role: "img", "aria-label": label });
  const legend = h("div", { class: "chart-legend" });
  host.append(legend, plot);
  const base = look();
  const chart = createChart(plot, {
    ...base, autoSize: true,
    localization: { locale: "en-GB", timeFormatter: when },
    handleScroll: { vertTouchDrag: false },
    // The first label is moved into sight where nothing lies before it.
    timeScale: { ...base.timeScale, timeVisible: true, secondsVisible: true, rightOffset: 2, minBarSpacing: 0.001, fixLeftEdge: true, tickMarkFormatter: tickMark },
    ...options,
    rightPriceScale: { ...base.rightPriceScale, ...options.rightPriceScale },
  });
  const repaint = () => { chart.applyOptions(look()); host.dispatchEvent(new Event("repaint")); };
  document.addEventListener("theme", repaint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  keys(plot, chart);
  return { chart, legend, plot };
}

/** The arrow keys move the view, plus and minus change its span. */
function keys(plot, chart) {
  plot.tabIndex = 0;
  plot.addEventListener("keydown", (event) => {
    const scale = chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (!range) return;
    const width = range.to - range.from;
    const move = { ArrowLeft: -0.1, ArrowRight: 0.1 }[event.key];
    const zoom = { "+": 0.8, "=": 0.8, "-": 1.25 }[event.key];
    if (event.key === "0") scale.fitContent();
    else if (move) scale.setVisibleLogicalRange({ from: range.from + move * width, to: range.to + move * width });
    else if (zoom) scale.setVisibleLogicalRange({ from: range.to - width * zoom, to: range.to });
    else return;
    event.preventDefault();
  });
}

/** Points for the library: times ascending, each once (the last one counts), only known values. */
export function points(times, values) {
  const found = new Map();
  times.forEach((time, index) => {
    const value = values[index];
    if (typeof value === "number" && Number.isFinite(value)) found.set(time, value);
  });
  return [...found].sort(([a], [b]) => a - b).map(([time, value]) => ({ time, value }));
}

/** Bars out of points: open, high, low and close of about `wanted` equal spans of time. */
export function bars(line, wanted = 120) {
  if (line.length === 0) return [];
  const first = line[0].time;
  const width = Math.max((line.at(-1).time - first) / wanted, 1e-9);
  const found = new Map();
  for (const { time, value } of line) {
    const slot = Math.floor((time - first) / width);
    const bar = found.get(slot);
    if (!bar) found.set(slot, { time: first + slot * width, open: value, high: value, low: value, close: value });
    else {
      bar.high = Math.max(bar.high, value);
      bar.low = Math.min(bar.low, value);
      bar.close = value;
    }
  }
  return [...found.values()];
}

/** How far below its highest point so far a curve is, in percent. */
export function drawdowns(line, start = 0) {
  let peak = start;
  return line.map(({ time, value }) => {
    peak = Math.max(peak, value);
    return { time, value: peak > 0 ? (value / peak - 1) * 100 : 0 };
  });
}

/** How many decimals tell the steps of an axis apart that spans these lines; percentages and money alike. */
export function decimalsFor(lines) {
  let low = Infinity;
  let high = -Infinity;
  for (const line of lines) for (const { value } of line) { low = Math.min(low, value); high = Math.max(high, value); }
  const span = high - low;
  return span > 0 ? Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(span)))) : 2;
}

/** A line that is flat gets room on both sides, so that its axis does not say one number again and again. */
export const withRoom = (usual) => {
  const found = usual();
  const range = found?.priceRange;
  if (!range || range.maxValue > range.minValue) return found;
  return { ...found, priceRange: { minValue: range.minValue - 0.05, maxValue: range.maxValue + 0.05 } };
};

/** Curves of several bots in one chart; `format` writes a value. */
export class Curves {
  constructor(host, label, format = number, { scale = {} } = {}) {
    this.host = host;
    this.label = label;
    this.format = format;
    this.scale = scale;
    this.lines = new Map();
    this.ready = null;
  }

  async build() {
    const { LineSeries } = await charts();
    const made = await makeChart(this.host, this.label, { rightPriceScale: this.scale });
    Object.assign(this, made, { LineSeries });
    this.chart.subscribeCrosshairMove((event) => this.read(event));
    this.host.addEventListener("repaint", () => { for (const line of this.lines.values()) line.series.applyOptions({ color: slotColour(line.slot) }); });
    this.baseline = null;
  }

  /** entries: [{id, name, href, slot, points: [{time, value}]}]; `base` is drawn as a rule. */
  async update(entries, base = null) {
    const drawn = entries.filter((entry) => entry.points.length > 0);
    if (drawn.length === 0 && !this.ready) return;
    this.ready ??= this.build();
    await this.ready;
    for (const [id, line] of this.lines) {
      if (!drawn.some((entry) => entry.id === id)) {
        this.chart.removeSeries(line.series);
        this.lines.delete(id);
      }
    }
    const isNew = drawn.some(({ id }) => !this.lines.has(id));
    this.digits = decimalsFor(drawn.map((entry) => entry.points));
    for (const entry of drawn) {
      const line = this.lines.get(entry.id) ?? { series: this.chart.addSeries(this.LineSeries, this.style(entry)) };
      line.series.setData(entry.points);
      Object.assign(line, entry);
      this.lines.set(entry.id, line);
    }
    if (base !== null && !this.baseline && this.lines.size > 0) {
      this.baseline = [...this.lines.values()][0].series.createPriceLine({ price: base, color: colour("line-strong"), lineWidth: 1, lineStyle: 2, axisLabelVisible: false, title: "" });
    }
    if (isNew) this.chart.timeScale().fitContent();
    this.drawLegend();
  }

  style({ slot }) {
    return {
      // Colour alone does not tell eight curves apart for everyone.
      color: slotColour(slot), lineWidth: 2, lineStyle: slot >= 4 ? 2 : 0, lastValueVisible: false, priceLineVisible: false, autoscaleInfoProvider: withRoom,
      priceFormat: { type: "custom", formatter: (value) => this.format(value, this.digits), minMove: 1e-6 },
    };
  }

  drawLegend() {
    this.legend.replaceChildren(...[...this.lines.values()].map((line) => {
      line.reading = h("span", { class: "num" }, this.format(line.points.at(-1).value));
      const name = h(line.href ? "a" : "span", { href: line.href, title: line.name }, h("bdi", null, line.name));
      const raise = (width) => () => line.series.applyOptions({ lineWidth: width });
      return h("span", { class: `legend-entry s${line.slot}`, pointerenter: raise(4), pointerleave: raise(2) },
        h("span", { class: line.slot >= 4 ? "swatch dashed" : "swatch", "aria-hidden": "true" }), name, line.reading);
    }));
    const ends = [...this.lines.values()].map(({ name, points: all }) => `${name} ${this.format(all.at(-1).value)}`);
    this.plot.setAttribute("aria-label", `${this.label}. Latest: ${ends.join("; ")}. Arrow keys move, plus and minus zoom.`);
  }

  read({ time, seriesData }) {
    for (const line of this.lines.values()) {
      const shown = time === undefined ? line.points.at(-1) : seriesData.get(line.series);
      if (line.reading && shown) line.reading.textContent = this.format(shown.value);
    }
  }
}

