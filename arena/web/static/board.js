// The board: everything that is going on, ranked.

import { get, inSeason, path, stopped } from "./api.js";
import { drawBanner, drawPastBanner, drawPrices, drawSeasonChoice } from "./banner.js";
import { LineChart } from "./chart.js";
import { $, badge, botLink, calm, h, showMissing, showProblem, time } from "./dom.js";
import { DASH, number, percent, plural, price, provenance, signed, signedPercent, size, tone, when, whole } from "./format.js";
import { submitForm, uploadForm } from "./forms.js";
import { live, takePrices } from "./live.js";
import { Table } from "./table.js";

const TOP = 8;
const SHOWN = 50;
const MORE = 200;
const PAGE = 1000;
const RECENT = 20;
const POINTS = 2000;
const GAP_MS = 4000;

const holdings = ({ positions }) => Object.entries(positions ?? {}).map(([symbol, held]) => `${size(held)} ${symbol}`).join(", ");

const amount = (label, field, title) => ({ label, title, num: true, text: (bot) => number(bot[field]), value: (bot) => bot[field] });
const gain = (label, field, title) => ({ ...amount(label, field, title), text: (bot) => signed(bot[field]), tone: (bot) => tone(bot[field]) });
const share = (label, field, title) => ({ ...amount(label, field, title), text: (bot) => percent(bot[field], 1) });

const columns = (season) => [
  { label: "#", title: "Rank", num: true, text: (bot) => whole(bot.rank) },
  {
    label: "Bot", class: "name", value: (bot) => bot.name,
    text: (bot) => JSON.stringify([bot.name, provenance(bot), bot.bot_id, bot.status, bot.note]),
    // Phones have no room for a status column; there, a status worth a word stands under the name.
    node: (bot) => h("div", { class: "who" }, botLink(bot.bot_id, bot.name, season), h("small", { title: provenance(bot) }, provenance(bot)),
      bot.note ? h("small", { class: "bot-note", title: bot.note }, bot.note) : null,
      bot.status === "active" ? null : badge(h("span", { class: "badge" }), bot.status)),
  },
  {
    label: "Status", text: (bot) => bot.status, value: (bot) => bot.status,
    node: (bot) => badge(h("span", { class: "badge" }), bot.status), tip: (bot) => bot.note || bot.last_error,
  },
  amount("Equity", "equity", "Cash plus positions at the last known prices"),
  { ...gain("Return", "return_pct", "Since the start, in percent"), text: (bot) => signedPercent(bot.return_pct) },
  { ...share("Drawdown", "max_drawdown_pct", "Largest fall from a peak, over every tick"), text: (bot) => percent(bot.max_drawdown_pct) },
  { ...amount("Trades", "trades"), text: (bot) => whole(bot.trades) },
  { ...amount("Rejected", "rejected", "Orders that were rejected; the bot's page says why"), text: (bot) => whole(bot.rejected) },
  { ...amount("Errors", "errors", "Ticks at which the bot raised an exception"), text: (bot) => whole(bot.errors), tip: (bot) => bot.last_error },
  { label: "Holds", class: "holds", text: (bot) => holdings(bot) || DASH, tip: holdings, tone: (bot) => (holdings(bot) ? "" : "none") },
  gain("Realised", "realized_pnl", "Profit and loss of what was sold"),
  gain("Unrealised", "unrealized_pnl", "Profit and loss of what is held"),
  amount("Cash", "cash"),
  amount("Sharpe", "sharpe", "Yearly; not known under 30 snapshots"),
  share("Wins", "win_rate_pct", "Sales with a profit"),
  amount("Turnover", "turnover", "Traded value over starting cash"),
  share("Exposed", "exposure_pct", "Ticks with a position"),
  amount("Fees", "fees"),
  {
    label: "Proved", text: (bot) => bot.verified ?? "", value: (bot) => bot.verified ?? "",
    node: (bot) => (bot.verified ? badge(h("span", { class: "badge" }), bot.verified === "reproduced" ? "proved" : bot.verified) : ""),
    tip: (bot) => (bot.verified ? `Run again on the recorded ticks, up to tick ${whole(bot.verified_tick)}: ${bot.verified}` : null),
  },
];

const tradeColumns = (season) => [
  { label: "Time", text: (trade) => when(trade.time), node: (trade) => time(trade.time, when(trade.time)) },
  {
    label: "Bot", class: "name", text: (trade) => JSON.stringify([trade.bot_id, trade.bot_name]),
    node: (trade) => h("div", { class: "who" }, botLink(trade.bot_id, trade.bot_name, season)),
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
  constructor(signal, season) {
    this.signal = signal;
    this.season = season;
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
    const fresh = { id: bot.bot_id, name: bot.name, href: `#${this.season === null ? "" : `/season/${this.season}`}${path("bot", bot.bot_id)}`, slot, points: [] };
    this.lines.set(bot.bot_id, fresh);
    try {
      fresh.points = (await get(inSeason(`${path("bots", bot.bot_id)}/equity?limit=${POINTS}`, this.season), this.signal)).items;
    } catch (error) {
      // A missing curve is asked for again with the next snapshot.
      this.lines.delete(bot.bot_id);
      if (stopped(error)) throw error;
    }
  }
}

function tradesList(signal, season) {
  const table = new Table($("recent-trades"), { columns: tradeColumns(season), key: (trade) => trade.id, empty: $("recent-trades-empty"), caption: "Recent trades, newest first" });
  let trades = [];
  const show = (items) => {
    trades = [...new Map([...items, ...trades].map((trade) => [trade.id, trade])).values()].slice(0, RECENT);
    table.update(trades);
  };
  const redraw = calm(() => show([]), 500, signal);
  if (season === null) live.addEventListener("trade", ({ detail }) => { trades.unshift(detail); redraw(); }, { signal });
  return async () => {
    try {
      const { items } = await get(inSeason(`/trades?limit=${RECENT}`, season), signal);
      trades = [];
      show(items);
    } catch (error) {
      if (!stopped(error)) $("recent-trades-empty").textContent = error.message;
    }
  };
}

const folded = (text) => String(text ?? "").normalize("NFKC").toLowerCase();

/** Every word of the search stands somewhere in a bot's name, author, writer, status or holdings; an id is taken whole. */
function matching(items, words) {
  if (words.length === 0) return items;
  return items.filter((bot) => {
    const text = folded([bot.name, provenance(bot), bot.model, bot.status, holdings(bot)].join(" "));
    return words.every((word) => text.includes(word)) || bot.bot_id === words[0];
  });
}

/**
 * The ranked table with its search box.
 *
 * The first bots are enough for most; `wantsAll` says that a search, a sorting or a look further down needs every one.
 */
function rankedTable(signal, season, reload) {
  const table = new Table($("board-table"), { columns: columns(season), key: (bot) => bot.bot_id, empty: $("board-empty"), caption: "Bots by rank", first: 1 });
  const more = $("board-more");
  const search = $("board-search");
  const noBots = $("board-empty").textContent;
  let all = [];
  let complete = true;
  table.limit = SHOWN;
  const words = () => folded(search.value).split(/\s+/).filter(Boolean);
  const wantsAll = () => season !== null || table.sort !== null || table.limit > SHOWN || search.value.trim() !== "";
  const draw = () => {
    const found = matching(all, words());
    $("board-empty").textContent = all.length > 0 ? "No bot matches the search." : noBots;
    table.update(found);
    const left = found.length - table.limit;
    more.hidden = left <= 0 && complete;
    more.textContent = complete ? `Show ${plural(Math.min(left, MORE), "more bot")} of ${whole(left)}` : "Show more bots";
    $("board-found").textContent = words().length > 0 && complete ? `${plural(found.length, "bot")} found` : "";
  };
  const change = () => { draw(); if (!complete && wantsAll()) reload(); };
  table.sorting = () => { if (!complete) reload(); };
  more.addEventListener("click", () => { table.limit += MORE; change(); }, { signal });
  search.addEventListener("input", change, { signal });
  return { wantsAll, show: (items, isComplete) => { all = items; complete = isComplete; $("board-tools").hidden = complete && items.length < 10 && search.value === ""; draw(); } };
}

/** The board from its top: its first bots, or all of them page by page. */
async function readBoard(signal, season, all) {
  const first = await get(inSeason(`/leaderboard?limit=${all ? PAGE : SHOWN}`, season), signal);
  const items = [...first.items];
  let cursor = first.next_cursor;
  while (all && cursor !== null) {
    const page = await get(inSeason(`/leaderboard?limit=${PAGE}&cursor=${cursor}`, season), signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  // A bot that has moved between two pages would stand there twice.
  return { ...first, items: [...new Map(items.map((bot) => [bot.bot_id, bot])).values()], complete: cursor === null };
}

async function loadPrices(signal) {
  try {
    takePrices(await get("/prices", signal));
    drawPrices();
  } catch (error) {
    if (!stopped(error)) $("prices-empty").textContent = error.message;
  }
}

/** How many bots play, where not all of them were fetched. */
const playing = () => Object.entries(live.status?.bots ?? {}).reduce((sum, [state, count]) => (["retired", "total"].includes(state) ? sum : sum + count), 0);

function boardLoader(signal, season) {
  const curves = new Curves(signal, season);
  let table = null;
  const load = async () => {
    try {
      const { season: about, items, as_of: asOf, complete } = await readBoard(signal, season, table.wantsAll());
      showProblem($("board-problem"), null);
      table.show(items, complete);
      const age = typeof asOf === "number" ? `as of ${when(asOf)}` : "no snapshot yet";
      const count = complete ? items.length : Math.max(playing(), items.length + 1);
      $("board-as-of").textContent = items.length > 0 ? `${plural(count, "bot")}, ${age}` : "";
      await curves.follow(items, asOf, about?.starting_cash ?? null);
    } catch (error) {
      if (!stopped(error)) showProblem($("board-problem"), error, load);
    }
  };
  table = rankedTable(signal, season, calm(load, 500, signal));
  return { load, forget: () => curves.forget() };
}

function chooseSeasons(signal, season) {
  $("season-choice").addEventListener("change", ({ target }) => { location.hash = target.value === "" ? "#/" : `#/season/${target.value}`; }, { signal });
  const load = async () => {
    try {
      drawSeasonChoice((await get("/seasons", signal)).items, season);
    } catch {
      // Without the list there is nothing to choose; the page itself says what is wrong.
    }
  };
  load();
  return load;
}

/** A season of the past: as it ended, with nothing to send. */
async function showPast(signal, season, loadTrades) {
  for (const card of ["submit-card", "upload-card"]) $(card).hidden = true;
  for (const columns of document.querySelectorAll(".columns")) columns.classList.add("alone");
  $("past-note").hidden = false;
  $("prices-section").hidden = true;
  const { load } = boardLoader(signal, season);
  try {
    drawPastBanner(await get(`/seasons/${season}`, signal));
  } catch (error) {
    if (error.status === 404) return showMissing("There is no such season", error.message);
    if (!stopped(error)) showProblem($("board-problem"), error);
  }
  if (signal.aborted) return undefined;
  await load();
  return loadTrades();
}

export function showBoard({ signal, season }) {
  const loadTrades = tradesList(signal, season);
  const loadSeasons = chooseSeasons(signal, season);
  if (season !== null) return showPast(signal, season, loadTrades);
  const { load, forget } = boardLoader(signal, null);

  const reload = calm(async () => { await load(); await loadTrades(); }, GAP_MS, signal);
  const onStatus = () => { drawBanner(); drawPrices(); };
  live.addEventListener("leaderboard", reload, { signal });
  live.addEventListener("tick", () => drawPrices(), { signal });
  live.addEventListener("status", onStatus, { signal });
  live.addEventListener("resync", () => { forget(); reload(); loadPrices(signal); loadSeasons(); }, { signal });
  submitForm(signal);
  uploadForm(signal);
  onStatus();
  loadPrices(signal);
  reload();
  return undefined;
}
