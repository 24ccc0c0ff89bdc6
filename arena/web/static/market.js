// The market: prices, where they come from, how old they are, and the clock.

import { get } from "./api.js";
import { Curves, points } from "./charts.js";
import { $, badge, h, pairs, time } from "./dom.js";
import { DASH, duration, number, plural, price, signedPercent, tone, when, whole } from "./format.js";
import { live, takePrices } from "./live.js";
import { Table } from "./table.js";

const POINTS = 2000;
const lines = new Map();
let symbol = null;
let curves = null;

const since = (name) => { const first = lines.get(name)?.[0]?.value; const now = live.prices?.[name]; return first && now ? (now / first - 1) * 100 : null; };
const PRICES = [
  { label: "Symbol", text: ({ name }) => name },
  { label: "Price", num: true, text: ({ name }) => price(live.prices?.[name]) },
  { label: "Since the start", title: "Against the first price of the season", num: true, text: ({ name }) => signedPercent(since(name)), tone: ({ name }) => tone(since(name)) },
  { told: true, label: "State", title: "Stale prices are old; orders on them are rejected", text: ({ state }) => state ?? DASH, node: ({ state }) => (state ? badge(h("span", { class: "badge" }), state) : h("span", null, DASH)) },
  { told: true, label: "Age", num: true, text: ({ age }) => (typeof age === "number" ? duration(age) : DASH) },
  { told: true, label: "Feed", text: ({ feed }) => feed ?? DASH },
];
const FEEDS = [
  { label: "Feed", text: ({ name }) => name },
  { label: "State", text: ({ state }) => state ?? DASH, node: ({ state }) => badge(h("span", { class: "badge" }), state) },
  { label: "What it says", class: "wide", text: ({ detail }) => detail || DASH },
];

let table = null;
const feeds = new Table($("market-feeds"), { columns: FEEDS, key: ({ name }) => name, caption: "Feeds", first: 0 });

function draw() {
  const told = live.status?.feeds?.symbols ?? {};
  const names = [...new Set([...(live.status?.season?.symbols ?? []), ...Object.keys(live.prices ?? {})])];
  // A market that is made up has no feed to tell of.
  const columns = PRICES.filter(({ told: only }) => !only || Object.keys(told).length > 0);
  if (table?.columns.length !== columns.length) table = new Table($("market-prices"), { columns, key: ({ name }) => name, empty: $("market-empty"), caption: "Prices", first: 0 });
  table.update(names.map((name) => ({ name, ...told[name] })));
  if (live.tick) $("market-time").replaceChildren(`tick ${whole(live.tick.n)}, `, time(live.tick.time, when(live.tick.time)));
}

function drawStatus() {
  const { feeds: about = {}, clock = {}, season, tick_seconds: took } = live.status;
  const items = Object.entries(about.feeds ?? {}).map(([name, one]) => ({ name, ...one }));
  feeds.update(items.length > 0 ? items : [{ name: season?.feed ?? "", state: live.status.state, detail: season?.feed_note }]);
  pairs($("market-clock"), [
    ["A tick every", season ? duration(season.interval) : null],
    ["The last tick took", typeof took === "number" ? `${number(took * 1000, 1)} ms` : null],
    ["Ticks left out", typeof clock.missed_beats === "number" ? whole(clock.missed_beats) : null],
    ["Jumps of the clock", typeof clock.jumps === "number" ? whole(clock.jumps) : null],
    ["Ended", Object.keys(about.resolved ?? {}).length ? plural(Object.keys(about.resolved).length, "symbol") : null],
  ]);
  draw();
}

function drawChart() {
  if (!symbol || !lines.has(symbol)) return;
  curves ??= new Curves($("market-chart"), "Price over the season", price);
  curves.update([{ id: symbol, name: symbol, slot: 0, points: lines.get(symbol) }]);
}

async function load() {
  const market = await get(`/prices/history?limit=${POINTS}`);
  for (const [name, values] of Object.entries(market.prices)) lines.set(name, points(market.times, values));
  const names = [...lines.keys()];
  symbol = names.includes(symbol) ? symbol : names[0] ?? null;
  $("chart-tools").replaceChildren(...(names.length > 1 ? names.map((name) => h("button", {
    type: "button", class: "chip", "aria-pressed": String(name === symbol),
    click: ({ target }) => {
      symbol = name;
      for (const button of $("chart-tools").children) button.setAttribute("aria-pressed", String(button === target));
      drawChart();
    } }, name)) : []));
  drawChart();
  draw();
}

live.addEventListener("status", drawStatus);
live.addEventListener("tick", ({ detail }) => {
  for (const [name, value] of Object.entries(detail.prices ?? {})) {
    const line = lines.get(name);
    if (line && detail.time > (line.at(-1)?.time ?? 0)) line.push({ time: detail.time, value });
  }
  if (curves?.lines.size) curves.lines.get(symbol)?.series.update(lines.get(symbol).at(-1));
  draw();
});
live.addEventListener("resync", load);
get("/prices").then((now) => { takePrices(now); draw(); }, () => {});
load();
