// A bot's chart: price with its trades, equity beside buying and holding, drawdown; one axis of time.

import { get, inSeason } from "./api.js";
import { bars, charts, colour, decimalsFor, drawdowns, faded, makeChart, points, withRoom } from "./charts.js";
import { h, pageSeason } from "./dom.js";
import { DASH, number, percent, price, signed, size, when } from "./format.js";

const POINTS = 2000;
const RANGES = { "5 min": 300, "1 h": 3600, "1 d": 86_400, All: null };
const STRETCH = [5, 3, 2];

export class BotChart {
  constructor({ host, tools, of, explain, ask }) {
    Object.assign(this, { host, tools, of, explain, ask });
    this.digits = 2;
    this.clock = { times: [], ticks: [] };
    this.trades = [];
    this.prices = new Map();
    this.equity = [];
    this.symbol = null;
    this.asBars = false;
    this.made = null;
  }

  async load(bot, failed) {
    try {
      const season = pageSeason();
      const [curve, market] = await Promise.all([get(this.of(`/equity?limit=${POINTS}`)), get(inSeason(`/prices/history?limit=${POINTS}`, season))]);
      this.equity = points(curve.items.map(({ time }) => time), curve.items.map(({ equity }) => equity));
      this.clock = market;
      // What was before the bot came is not its market.
      const start = this.equity[0]?.time ?? 0;
      this.prices = new Map(Object.entries(market.prices).map(([symbol, values]) => [symbol, points(market.times, values).filter(({ time }) => time >= start)]));
    } catch (error) {
      failed(error);
      return;
    }
    const symbols = [...new Set([...(bot?.symbols ?? []), ...this.trades.map(({ symbol }) => symbol)])].filter((symbol) => this.prices.has(symbol));
    this.symbols = symbols.length > 0 ? symbols : [...this.prices.keys()];
    this.symbol = this.symbols.includes(this.symbol) ? this.symbol : this.symbols[0] ?? null;
    if (this.equity.length === 0 && this.symbol === null) return;
    await this.build();
    this.draw();
    this.chart.timeScale().fitContent();
  }

  async build() {
    if (this.made) return;
    this.made = true;
    const library = await charts();
    Object.assign(this, await makeChart(this.host, "Price with the bot's trades, equity, drawdown"), { library });
    const { BaselineSeries, LineSeries, createSeriesMarkers } = library;
    const quiet = { lastValueVisible: false, priceLineVisible: false, autoscaleInfoProvider: withRoom };
    const money = { type: "custom", formatter: (value) => number(value), minMove: 0.01 };
    this.addPrice();
    this.equitySeries = this.chart.addSeries(LineSeries, { ...quiet, color: colour("s0"), lineWidth: 2, priceFormat: money }, 1);
    this.holdSeries = this.chart.addSeries(LineSeries, { ...quiet, color: colour("soft"), lineWidth: 1, lineStyle: 2, priceFormat: money }, 1);
    this.drawdownSeries = this.chart.addSeries(BaselineSeries, { ...quiet, ...this.fallLook(), baseValue: { type: "price", price: 0 }, lineWidth: 1, priceFormat: { type: "custom", formatter: (value) => percent(value, this.digits), minMove: 1e-6 } }, 2);
    this.createSeriesMarkers = createSeriesMarkers;
    this.chart.panes().forEach((pane, index) => pane.setStretchFactor(STRETCH[index]));
    this.chart.subscribeCrosshairMove((event) => this.read(event));
    this.chart.subscribeClick(({ time, hoveredObjectId, hoveredInfo }) => {
      const trade = this.trades.find((one) => `trade-${one.id}` === (hoveredObjectId ?? hoveredInfo?.objectId));
      if (trade) this.explain(trade);
      else if (typeof time === "number") this.ask(this.tickAt(time));
    });
    this.host.addEventListener("repaint", () => this.repaint());
    this.drawTools();
  }

  /** The tick at a time, or the last one before it that is known. */
  tickAt(time) {
    const { times, ticks } = this.clock;
    let [low, high] = [0, times.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (times[middle] <= time) low = middle;
      else high = middle - 1;
    }
    return ticks[low] ?? null;
  }

  addPrice() {
    const { BarSeries, LineSeries } = this.library;
    if (this.priceSeries) this.chart.removeSeries(this.priceSeries);
    const format = { priceFormat: { type: "custom", formatter: (value) => price(value), minMove: 1e-8 }, priceLineVisible: false };
    this.priceSeries = this.asBars
      ? this.chart.addSeries(BarSeries, { ...format, upColor: colour("up"), downColor: colour("down") }, 0)
      : this.chart.addSeries(LineSeries, { ...format, color: colour("text"), lineWidth: 1, lastValueVisible: true }, 0);
    this.markers = null;
  }

  /** What is filled is the fall itself, from the last peak down to the curve: where there is none, nothing is. */
  fallLook() {
    const [none, line] = [faded("down", 0), colour("down")];
    return { topFillColor1: none, topFillColor2: none, bottomFillColor1: faded("down", 0.06), bottomFillColor2: faded("down", 0.3), topLineColor: line, bottomLineColor: line };
  }

  repaint() {
    this.equitySeries.applyOptions({ color: colour("s0") });
    this.holdSeries.applyOptions({ color: colour("soft") });
    this.drawdownSeries.applyOptions(this.fallLook());
    if (!this.asBars) this.priceSeries.applyOptions({ color: colour("text") });
    this.drawMarkers();
  }

  drawTools() {
    const range = (name, seconds) => h("button", { type: "button", class: "chip", click: () => this.range(seconds) }, name);
    const symbols = this.symbols.length > 1
      ? h("label", { class: "inline" }, "Price of ", h("select", { change: ({ target }) => { this.symbol = target.value; this.draw(); } }, this.symbols.map((symbol) => h("option", { value: symbol }, symbol)))) : null;
    const kind = h("button", { type: "button", class: "chip", "aria-pressed": "false", click: ({ target }) => {
      this.asBars = !this.asBars;
      target.setAttribute("aria-pressed", String(this.asBars));
      this.addPrice();
      this.draw();
    } }, "Bars");
    this.tools.replaceChildren(...[symbols, kind, ...Object.entries(RANGES).map(([name, seconds]) => range(name, seconds))].filter(Boolean));
  }

  range(seconds) {
    const last = Math.max(this.equity.at(-1)?.time ?? 0, this.line().at(-1)?.time ?? 0);
    const first = Math.min(this.equity[0]?.time ?? last, this.line()[0]?.time ?? last);
    if (seconds === null || last - seconds <= first) this.chart.timeScale().fitContent();
    else this.chart.timeScale().setVisibleRange({ from: last - seconds, to: last });
  }

  line() {
    return this.prices.get(this.symbol) ?? [];
  }

  draw() {
    if (!this.priceSeries) return;
    this.priceSeries.setData(this.asBars ? bars(this.line()) : this.line());
    this.equitySeries.setData(this.equity);
    this.holdSeries.setData(this.held());
    const falls = drawdowns(this.equity, this.equity[0]?.value);
    this.digits = decimalsFor([falls]);
    this.drawdownSeries.setData(falls);
    this.drawMarkers();
    this.read({});
  }

  /** What the same money would be worth, had it bought the shown symbol when the bot began. */
  held() {
    const start = this.equity[0];
    if (!start) return [];
    const since = this.line().filter(({ time }) => time >= start.time);
    return since.map(({ time, value }) => ({ time, value: (start.value * value) / since[0].value }));
  }

  setTrades(trades) {
    this.trades = trades;
    this.drawMarkers();
  }

  drawMarkers() {
    if (!this.priceSeries || this.line().length === 0) return;
    const buy = colour("up");
    const sell = colour("down");
    const shown = this.trades.filter(({ symbol }) => symbol === this.symbol).reverse().map((trade) => ({
      id: `trade-${trade.id}`, time: trade.time, color: trade.side === "BUY" ? buy : sell,
      position: trade.side === "BUY" ? "belowBar" : "aboveBar", shape: trade.side === "BUY" ? "arrowUp" : "arrowDown",
    }));
    if (this.markers) this.markers.setMarkers(shown);
    else this.markers = this.createSeriesMarkers(this.priceSeries, shown);
  }

  /** The legend is the readout: the values at the cursor, else the latest; over a trade, what it was. */
  read({ time, seriesData, hoveredObjectId, hoveredInfo }) {
    const over = this.trades.find((trade) => `trade-${trade.id}` === (hoveredObjectId ?? hoveredInfo?.objectId));
    this.plot.classList.toggle("pointing", Boolean(over));
    const at = (series, line) => { const found = time === undefined ? line.at(-1) : seriesData?.get(series); return found?.value ?? found?.close; };
    const entries = [
      [this.symbol ?? DASH, price(at(this.priceSeries, this.line())), ""],
      ["Equity", number(at(this.equitySeries, this.equity)), "s0"],
      [`Holding ${this.symbol ?? ""}`, number(at(this.holdSeries, this.held())), "soft"],
      ["Drawdown", percent(at(this.drawdownSeries, drawdowns(this.equity, this.equity[0]?.value)), this.digits), "down"],
    ];
    this.legend.replaceChildren(h("span", { class: "legend-time" }, time === undefined ? "Latest" : when(time)),
      ...(over ? [h("strong", { class: "legend-trade", "data-tone": over.side === "BUY" ? "up" : "down" },
        `${over.side} ${size(over.size)} at ${price(over.price)}${over.side === "SELL" ? `, realised ${signed(over.realized_pnl)}` : ""}. Click for why`)]
        : entries.map(([name, value, kind]) => h("span", { class: `legend-entry ${kind}` }, h("span", { class: "legend-name" }, name), h("span", { class: "num" }, value)))));
  }

  /** A new tick lengthens the price; while bars are shown, it waits for the next full drawing. */
  tick({ n, time, prices }) {
    if (time > (this.clock.times.at(-1) ?? 0)) { this.clock.times.push(time); this.clock.ticks.push(n); }
    for (const [symbol, value] of Object.entries(prices ?? {})) {
      const line = this.prices.get(symbol);
      if (line && time > (line.at(-1)?.time ?? 0)) line.push({ time, value });
    }
    const last = this.line().at(-1);
    if (this.priceSeries && !this.asBars && last?.time === time) this.priceSeries.update(last);
  }

  extend(at, equity) {
    if (typeof at !== "number" || typeof equity !== "number" || at <= (this.equity.at(-1)?.time ?? 0)) return;
    this.equity.push({ time: at, value: equity });
    this.draw();
  }
}
