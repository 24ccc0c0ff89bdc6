// A line chart in SVG: axes, legend and a cursor for mouse, touch and keyboard.
//
// The legend is also the readout: it shows the values at the cursor, else the latest ones,
// so nothing floats over the curves and a finger hides nothing.

import { indexAt, padded, timeTicks, valueTicks } from "./axis.js";
import { guest, h, s } from "./dom.js";
import { number, plural, when } from "./format.js";

const TOP = 10;
const RIGHT = 14;
const BOTTOM = 26;

export class LineChart {
  /** `baseline` is the value that means neither gain nor loss, drawn as a rule. */
  constructor(host, { label, empty, signal, legend = true }) {
    this.label = label;
    this.baseline = null;
    this.series = [];
    this.cursor = null;
    this.svg = s("svg", { class: "chart-svg", role: "img", "aria-label": label });
    this.plot = h("div", { class: "chart-plot", tabindex: "0", role: "group", "aria-label": `${label}. Left and right arrow keys read values.` }, this.svg);
    this.moment = h("p", { class: "chart-moment" });
    this.list = h("ul", { class: "chart-legend" });
    this.spoken = h("p", { class: "visually-hidden", "aria-live": "polite" });
    this.empty = h("p", { class: "empty" }, empty);
    this.figure = h("div", { class: legend ? "chart" : "chart single", hidden: true }, this.plot,
      h("div", { class: "chart-side" }, this.moment, this.list), this.spoken);
    host.replaceChildren(this.empty, this.figure);
    this.listen(signal);
  }

  listen(signal) {
    const observer = new ResizeObserver(() => this.draw());
    observer.observe(this.plot);
    signal.addEventListener("abort", () => observer.disconnect());
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerdown", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") this.moveTo(null); });
    this.plot.addEventListener("blur", () => this.moveTo(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  /** series: [{id, name, slot, href?, points: [{time, equity}] oldest first}] */
  update(series, baseline = null) {
    this.series = series.filter(({ points }) => points.length > 0);
    this.baseline = baseline;
    this.figure.hidden = this.series.length === 0;
    this.empty.hidden = this.series.length > 0;
    this.list.replaceChildren(...this.series.map((line) => this.entry(line)));
    this.draw();
  }

  entry(line) {
    const name = line.href ? h("a", { href: line.href, title: line.name }, guest(line.name)) : h("span", null, guest(line.name));
    line.reading = h("span", { class: "num" });
    const raise = (on) => () => this.svg.querySelector(`[data-slot="${line.slot}"]`)?.classList.toggle("raised", on);
    const over = (on) => () => { this.svg.classList.toggle("hovering", on); raise(on)(); };
    return h("li", { pointerenter: over(true), pointerleave: over(false), focusin: over(true), focusout: over(false) },
      s("svg", { class: "swatch", viewBox: "0 0 18 8", width: 18, height: 8, "aria-hidden": "true" },
        s("path", { class: `line s${line.slot}`, d: "M0 4 H18" })), name, line.reading);
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (this.series.length === 0 || width === 0) return;
    const all = this.series.flatMap(({ points }) => points);
    const times = this.series.flatMap(({ points }) => [points[0].time, points.at(-1).time]);
    const values = [...(this.baseline === null ? [] : [this.baseline])];
    const [low, high] = padded(all.reduce((least, { equity }) => Math.min(least, equity), values[0] ?? Infinity),
      all.reduce((most, { equity }) => Math.max(most, equity), values[0] ?? -Infinity));
    const first = Math.min(...times);
    const last = Math.max(...times, first + 1);
    const rows = valueTicks(low, high, Math.max(2, Math.floor(height / 55)));
    const left = 14 + 7 * Math.max(...rows.map(({ label }) => label.length));
    this.scale = {
      left, width, height, first, last,
      x: (at) => left + ((at - first) / (last - first)) * (width - left - RIGHT),
      y: (value) => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM),
    };
    this.pointer = s("g", { class: "cursor" });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("aria-label", this.summary());
    this.svg.replaceChildren(this.grid(rows), this.baselineRule(), ...this.series.map((line) => this.curve(line)), this.pointer);
    this.moveTo(this.cursor);
  }

  grid(rows) {
    const { x, y, left, width, height, first, last } = this.scale;
    const columns = timeTicks(first, last, Math.max(2, Math.floor((width - left) / 90)));
    return s("g", { class: "axes", "aria-hidden": "true" },
      rows.map(({ at, label }) => [
        s("line", { x1: left, x2: width - RIGHT, y1: y(at), y2: y(at) }),
        s("text", { x: left - 8, y: y(at), dy: "0.32em", "text-anchor": "end" }, label)]),
      columns.map(({ at, label }) => [
        s("line", { class: "notch", x1: x(at), x2: x(at), y1: height - BOTTOM, y2: height - BOTTOM + 4 }),
        // A centred label at the rim would be cut off.
        s("text", { x: Math.min(x(at), width - 4 - 3.5 * label.length), y: height - 6, "text-anchor": "middle" }, label)]));
  }

  baselineRule() {
    if (this.baseline === null) return s("g");
    const { y, left, width } = this.scale;
    return s("line", { class: "baseline", x1: left, x2: width - RIGHT, y1: y(this.baseline), y2: y(this.baseline) });
  }

  curve({ points, slot }) {
    const { x, y } = this.scale;
    const at = ({ time, equity }) => `${x(time).toFixed(1)} ${y(equity).toFixed(1)}`;
    const mark = points.length === 1 ? s("circle", { class: `dot s${slot}`, r: 3, cx: x(points[0].time), cy: y(points[0].equity) }) : null;
    return s("g", { "data-slot": slot }, s("path", { class: `line s${slot}`, d: `M${points.map(at).join("L")}` }), mark);
  }

  summary() {
    const { first, last } = this.scale;
    const ends = this.series.map(({ name, points }) => `${name} ${number(points.at(-1).equity)}`);
    return `${this.label}: ${plural(this.series.length, "curve")} from ${when(first)} to ${when(last)}. Latest: ${ends.join("; ")}.`;
  }

  point(event) {
    if (!this.scale) return;
    const { left, width, first, last } = this.scale;
    const share = (event.clientX - this.plot.getBoundingClientRect().left - left) / (width - left - RIGHT);
    this.moveTo(first + Math.min(1, Math.max(0, share)) * (last - first));
  }

  key(event) {
    const longest = this.series.reduce((best, { points }) => (points.length > best.length ? points : best), []);
    if (longest.length === 0) return;
    const here = this.cursor === null ? longest.length : indexAt(longest, this.cursor);
    const step = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: here - step, ArrowRight: here + step, Home: 0, End: longest.length - 1 }[event.key];
    if (event.key === "Escape") this.moveTo(null);
    if (to === undefined) return;
    event.preventDefault();
    this.moveTo(longest[Math.min(longest.length - 1, Math.max(0, to))].time);
    this.spoken.textContent = this.series.map((line) => `${line.name} ${line.reading.textContent}`).join("; ");
  }

  /** Put the cursor on a time, or take it away (null), and read the values there. */
  moveTo(at) {
    this.cursor = at;
    if (!this.scale) return;
    const { x, y, height, last } = this.scale;
    const dots = [];
    for (const line of this.series) {
      const found = line.points[at === null ? line.points.length - 1 : indexAt(line.points, at)];
      line.reading.textContent = number(found?.equity);
      if (found && at !== null) dots.push(s("circle", { class: `dot s${line.slot}`, r: 3.5, cx: x(found.time), cy: y(found.equity) }));
    }
    this.moment.textContent = at === null ? `Latest, ${when(last)}` : when(at);
    this.pointer.replaceChildren(...(at === null ? [] : [s("line", { x1: x(at), x2: x(at), y1: TOP, y2: height - BOTTOM }), ...dots]));
  }
}
