// The board: everything that is going on, ranked.

import { get, path, stopped } from "./api.js";
import { drawBanner, drawPrices } from "./banner.js";
import { LineChart } from "./chart.js";
import { $, badge, botLink, calm, h, showProblem, time } from "./dom.js";
import { number, percent, plural, price, provenance, signed, signedPercent, size, tone, when, whole } from "./format.js";
import { submitForm, uploadForm } from "./forms.js";
import { live, takePrices } from "./live.js";
import { Table } from "./table.js";

const TOP = 8;
const SHOWN = 50;
const RECENT = 20;
const POINTS = 2000;
const GAP_MS = 4000;

const holdings = ({ positions }) => Object.entries(positions ?? {}).map(([symbol, held]) => `${size(held)} ${symbol}`).join(", ");

const amount = (label, field, title) => ({ label, title, num: true, text: (bot) => number(bot[field]), value: (bot) => bot[field] });
const gain = (label, field, title) => ({ ...amount(label, field, title), text: (bot) => signed(bot[field]), tone: (bot) => tone(bot[field]) });
const share = (label, field, title) => ({ ...amount(label, field, title), text: (bot) => percent(bot[field], 1) });

const COLUMNS = [
  { label: "#", title: "Rank", num: true, text: (bot) => whole(bot.rank) },
  {
    label: "Bot", class: "name", value: (bot) => bot.name,
    text: (bot) => JSON.stringify([bot.name, provenance(bot), bot.bot_id, bot.status]),
    // Phones have no room for a status column; there, a status worth a word stands under the name.
    node: (bot) => h("div", { class: "who" }, botLink(bot.bot_id, bot.name), h("small", { title: provenance(bot) }, provenance(bot)),
      bot.status === "active" ? null : badge(h("span", { class: "badge" }), bot.status)),
  },
  {
    label: "Proved", text: (bot) => bot.verified ?? "", value: (bot) => bot.verified ?? "",
    node: (bot) => (bot.verified ? badge(h("span", { class: "badge" }), bot.verified === "reproduced" ? "proved" : bot.verified) : ""),
    tip: (bot) => (bot.verified ? `Run again on the recorded ticks, up to tick ${whole(bot.verified_tick)}: ${bot.verified}` : null),
  },
  {
    label: "Status", text: (bot) => bot.status, value: (bot) => bot.status,
    node: (bot) => badge(h("span", { class: "badge" }), bot.status), tip: (bot) => bot.last_error,
  },
  amount("Equity", "equity", "Cash plus positions at the last known prices"),
  { ...gain("Return", "return_pct", "Since the start, in percent"), text: (bot) => signedPercent(bot.return_pct) },
  gain("Realised", "realized_pnl", "Profit and loss of what was sold"),
  gain("Unrealised", "unrealized_pnl", "Profit and loss of what is held"),
  share("Drawdown", "max_drawdown_pct", "Largest fall from a peak, over every tick"),
  amount("Sharpe", "sharpe", "Yearly; not known under 30 snapshots"),
  { ...amount("Trades", "trades"), text: (bot) => whole(bot.trades) },
  share("Wins", "win_rate_pct", "Sales with a profit"),
  amount("Turnover", "turnover", "Traded value over starting cash"),
  share("Exposed", "exposure_pct", "Ticks with a position"),
  amount("Fees", "fees"),
  { ...amount("Errors", "errors"), text: (bot) => whole(bot.errors), tip: (bot) => bot.last_error },
  amount("Cash", "cash"),
  { label: "Holds", class: "holds", text: holdings, tip: holdings },
];

const TRADES = [
  { label: "Time", text: (trade) => when(trade.time), node: (trade) => time(trade.time, when(trade.time)) },
  {
    label: "Bot", class: "name", text: (trade) => JSON.stringify([trade.bot_id, trade.bot_name]),
    node: (trade) => h("div", { class: "who" }, botLink(trade.bot_id, trade.bot_name)),
  },
  { label: "Side", text: (trade) => trade.side, tone: (trade) => trade.side },
  { label: "Size", num: true, text: (trade) => size(trade.size) },
  { label: "Symbol", text: (trade) => trade.symbol },
  { label: "Price", num: true, text: (trade) => price(trade.price) },
  {
    label: "Realised", num: true, text: (trade) => (trade.side === "SELL" ? signed(trade.realized_pnl) : ""),
    tone: (trade) => (trade.side === "SELL" ? tone(trade.realized_pnl) : ""),
  },
];

/** Equity curves of the leaders; a bot keeps its colour for as long as it leads. */
class Curves {
  constructor(signal) {
    this.signal = signal;
    this.lines = new Map();
    this.chart = new LineChart($("curves"), { label: "Equity of the top bots", empty: "Curves appear with the first equity snapshots.", signal });
  }

  forget() {
    this.lines.clear();
  }

  async follow(items, asOf, baseline) {
    const leaders = items.slice(0, TOP);
    for (const id of this.lines.keys()) if (!leaders.some((bot) => bot.bot_id === id)) this.lines.delete(id);
    await Promise.all(leaders.map((bot) => this.extend(bot, asOf)));
    this.chart.update(leaders.map((bot) => this.lines.get(bot.bot_id)).filter(Boolean), baseline);
  }

  /** A known curve grows by the board's own snapshot; only a new leader costs a request. */
  async extend(bot, asOf) {
    const line = this.lines.get(bot.bot_id);
    if (line) {
      const last = line.points.at(-1);
      if (typeof asOf === "number" && typeof bot.equity === "number" && (!last || asOf > last.time)) line.points.push({ time: asOf, equity: bot.equity });
      if (line.points.length > 2 * POINTS) line.points.splice(0, POINTS);
      return;
    }
    const taken = new Set([...this.lines.values()].map(({ slot }) => slot));
    const slot = [...Array(TOP).keys()].find((free) => !taken.has(free)) ?? 0;
    const fresh = { id: bot.bot_id, name: bot.name, href: `#${path("bot", bot.bot_id)}`, slot, points: [] };
    this.lines.set(bot.bot_id, fresh);
    try {
      fresh.points = (await get(`${path("bots", bot.bot_id)}/equity?limit=${POINTS}`, this.signal)).items;
    } catch (error) {
      // A missing curve is asked for again with the next snapshot.
      this.lines.delete(bot.bot_id);
      if (stopped(error)) throw error;
    }
  }
}

function tradesList(signal) {
  const table = new Table($("recent-trades"), { columns: TRADES, key: (trade) => trade.id, empty: $("recent-trades-empty"), caption: "Recent trades, newest first" });
  let trades = [];
  const show = (items) => {
    trades = [...new Map([...items, ...trades].map((trade) => [trade.id, trade])).values()].slice(0, RECENT);
    table.update(trades);
  };
  const redraw = calm(() => show([]), 500, signal);
  live.addEventListener("trade", ({ detail }) => { trades.unshift(detail); redraw(); }, { signal });
  return async () => {
    try {
      const { items } = await get(`/trades?limit=${RECENT}`, signal);
      trades = [];
      show(items);
    } catch (error) {
      if (!stopped(error)) $("recent-trades-empty").textContent = error.message;
    }
  };
}

function rankedTable(signal) {
  const table = new Table($("board-table"), { columns: COLUMNS, key: (bot) => bot.bot_id, empty: $("board-empty"), caption: "Bots by rank", first: 1 });
  const more = $("board-more");
  let all = [];
  let shown = SHOWN;
  const draw = () => {
    table.update(all.slice(0, shown));
    more.hidden = all.length <= shown;
    more.textContent = `Show all ${all.length} bots`;
  };
  more.addEventListener("click", () => { shown = Infinity; draw(); }, { signal });
  return (items) => { all = items; draw(); };
}

async function loadPrices(signal) {
  try {
    takePrices(await get("/prices", signal));
    drawPrices();
  } catch (error) {
    if (!stopped(error)) $("prices-empty").textContent = error.message;
  }
}

export function showBoard({ signal }) {
  const curves = new Curves(signal);
  const draw = rankedTable(signal);
  const loadTrades = tradesList(signal);

  const load = async () => {
    try {
      const { season, items, as_of: asOf } = await get("/leaderboard?limit=200", signal);
      showProblem($("board-problem"), null);
      draw(items);
      const age = typeof asOf === "number" ? `as of ${when(asOf)}` : "no snapshot yet";
      $("board-as-of").textContent = items.length > 0 ? `${plural(items.length, "bot")}, ${age}` : "";
      await curves.follow(items, asOf, season?.starting_cash ?? null);
    } catch (error) {
      if (!stopped(error)) showProblem($("board-problem"), error, load);
    }
  };

  const reload = calm(async () => { await load(); await loadTrades(); }, GAP_MS, signal);
  const onStatus = () => { drawBanner(); drawPrices(); };
  live.addEventListener("leaderboard", reload, { signal });
  live.addEventListener("tick", drawPrices, { signal });
  live.addEventListener("status", onStatus, { signal });
  live.addEventListener("resync", () => { curves.forget(); reload(); loadPrices(signal); }, { signal });
  submitForm(signal);
  uploadForm(signal);
  onStatus();
  loadPrices(signal);
  reload();
}
