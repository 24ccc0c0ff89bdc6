// The charts of a backtest's report; the file that holds it is whole, so nothing is fetched.

import { Curves, charts, colour, drawdowns, makeChart, points } from "./charts.js";
import { $ } from "./dom.js";
import { number, percent, price } from "./format.js";

const data = JSON.parse($("data").textContent);
const priced = Object.values(data.prices).map((values) => points(data.times, values)).filter((line) => line.length > 0);
const lines = data.bots.map(({ name, curve }, slot) => ({ id: `bot ${slot}`, name, slot, points: points(curve.map(([at]) => at), curve.map(([, value]) => value)) }));

/** Equal parts of every symbol, bought at its first price and held; before it has one, its part stays cash. */
function held() {
  const first = priced.map((line) => line[0]);
  const at = priced.map(() => 0);
  return data.times.map((time) => {
    const worth = priced.map((line, index) => {
      while (at[index] + 1 < line.length && line[at[index] + 1].time <= time) at[index] += 1;
      return first[index].time > time ? 1 : line[at[index]].value / first[index].value;
    });
    return { time, value: (data.start * worth.reduce((sum, value) => sum + value, 0)) / worth.length };
  });
}

async function priceChart(host, bot) {
  const symbols = [...new Set(bot.trades.map(([, symbol]) => symbol))];
  const symbol = symbols[0] ?? Object.keys(data.prices)[0];
  if (!symbol) return;
  const { LineSeries, createSeriesMarkers } = await charts();
  const { chart, legend } = await makeChart(host, `Price of ${symbol} with the trades of ${bot.name}`);
  legend.textContent = `${symbol}${symbols.length > 1 ? `; it also traded ${symbols.slice(1).join(", ")}` : ""}`;
  const series = chart.addSeries(LineSeries, { color: colour("text"), lineWidth: 1, priceLineVisible: false, priceFormat: { type: "custom", formatter: price, minMove: 1e-8 } });
  series.setData(points(data.times, data.prices[symbol]));
  createSeriesMarkers(series, bot.trades.filter(([, name]) => name === symbol).map(([time, , side]) => ({
    time, position: side === "BUY" ? "belowBar" : "aboveBar", shape: side === "BUY" ? "arrowUp" : "arrowDown", color: colour(side === "BUY" ? "up" : "down") })));
  chart.timeScale().fitContent();
}

const hold = priced.length > 0 ? [{ id: "hold", name: "Buy and hold", slot: 7, points: held() }] : [];
await new Curves($("curves"), "Equity", number).update([...lines.slice(0, 7), ...hold], data.start);
await new Curves($("drawdowns"), "Drawdown", percent).update(lines.slice(0, 7).map((line) => ({ ...line, points: drawdowns(line.points, data.start) })));
for (const host of document.querySelectorAll("[data-price-of]")) {
  const bot = data.bots.find(({ name }) => name === host.dataset.priceOf);
  if (bot) await priceChart(host, bot);
}
const zone = $("zone-note") ?? $("zone");
zone.textContent = `Times on the charts are those of ${Intl.DateTimeFormat().resolvedOptions().timeZone || "your computer"}; in the tables they are UTC.`;
