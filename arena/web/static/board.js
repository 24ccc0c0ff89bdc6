// The board: everything that is going on, ranked, filtered, grouped and compared.

import { get, inSeason, stopped } from "./api.js";
import { drawPrices } from "./banner.js";
import { Curves, points } from "./charts.js";
import { $, badge, botAddress, botLink, calm, h, pageSeason, pairs, s, showProblem, time } from "./dom.js";
import { DASH, age, number, percent, plural, price, provenance, signed, signedPercent, size, tone, when, whole } from "./format.js";
import { promptForm } from "./forms.js";
import { live, takePrices } from "./live.js";
import { isOwn, memory } from "./memory.js";
import { Table } from "./table.js";

const season = pageSeason();
const CHOSEN = 8;
const LEADERS = 5;
const SHOWN = 50;
const MORE = 200;
const PAGE = 1000;
const RECENT = 12;
const SPARK_POINTS = 30;
const CURVE_POINTS = 1500;
const CURVES_A_REQUEST = 50;
const GAP_MS = 4000;

const holdings = ({ positions }) => Object.entries(positions ?? {}).map(([symbol, held]) => `${size(held)} ${symbol}`).join(", ");

// -- what is remembered in the address, so that a view can be shared

const FILTERS = { q: "board-search", origin: "filter-origin", status: "filter-status", author: "filter-author", model: "filter-model", symbol: "filter-symbol", group: "group-by" };

function readAddress() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries([...Object.keys(FILTERS), "sort", "mine", "columns", "chosen"].map((name) => [name, query.get(name) ?? ""]));
}

function writeAddress(view) {
  const query = new URLSearchParams(Object.entries(view).filter(([, value]) => value !== ""));
  const text = query.toString().replaceAll("%2C", ",");
  history.replaceState(null, "", `${location.pathname}${text ? `?${text}` : ""}`);
}

// -- columns

const chosen = new Set(readAddress().chosen.split(",").filter(Boolean).slice(0, CHOSEN));
const sparks = new Map();
let firstRanks = null;
let chosenChanged = () => {};

function choose(id, on) {
  if (on && chosen.size >= CHOSEN) return false;
  if (on) chosen.add(id);
  else chosen.delete(id);
  chosenChanged();
  return true;
}

const chooser = (bot) => h("input", {
  type: "checkbox", checked: chosen.has(bot.bot_id), "aria-label": `Compare ${bot.name}`,
  change: ({ target }) => { if (!choose(bot.bot_id, target.checked)) target.checked = false; },
});

/** A bot's equity as a small line; its colour says whether it is above where it began. */
function spark(bot) {
  const values = sparks.get(bot.bot_id);
  if (!values || values.length < 2) return h("span", { class: "spark" });
  const low = Math.min(...values);
  const range = Math.max(...values) - low || 1;
  const at = (value, index) => `${((index / (values.length - 1)) * 78 + 1).toFixed(1)} ${(21 - ((value - low) / range) * 18).toFixed(1)}`;
  const direction = values.at(-1) > values[0] ? "up" : values.at(-1) < values[0] ? "down" : "";
  return s("svg", { class: "spark", viewBox: "0 0 80 24", width: 80, height: 24, "aria-hidden": "true", "data-tone": direction }, s("path", { d: `M${values.map(at).join("L")}` }));
}

/** Places won or lost since this page was first opened in this tab. */
function moved(bot) {
  const before = firstRanks?.[bot.bot_id];
  if (!before || !bot.rank || before === bot.rank) return "";
  return before > bot.rank ? `▲${before - bot.rank}` : `▼${bot.rank - before}`;
}

/** The band of ranks that a bot cannot be told apart from; empty where it stands alone. */
const tieOf = ({ tie_first: first, tie_last: last }) => (typeof first === "number" && last > first ? `${first}-${last}` : "");

const needs = (bot, field, text) => (typeof bot[field] === "number" ? text : `needs 30${typeof bot.periods === "number" ? `, has ${bot.periods}` : ""}`);
const amount = (label, field, title) => ({ label, title, num: true, text: (bot) => number(bot[field]), value: (bot) => bot[field] });
const gain = (label, field, title) => ({ ...amount(label, field, title), text: (bot) => signed(bot[field]), tone: (bot) => tone(bot[field]) });
const share = (label, field, title) => ({ ...amount(label, field, title), text: (bot) => percent(bot[field], 1) });

function who(bot) {
  return h("div", { class: "who" }, h("span", { class: "who-name" }, botLink(bot.bot_id, bot.name, season), isOwn(bot.bot_id) ? h("span", { class: "mine" }, "mine") : null),
    h("small", { title: provenance(bot) }, provenance(bot)),
    bot.note ? h("small", { class: "bot-note", title: bot.note }, bot.note) : null,
    bot.status === "active" ? null : badge(h("span", { class: "badge" }), bot.status),
    bot.verified && bot.verified !== "reproduced" ? badge(h("span", { class: "badge", title: `Run again up to tick ${whole(bot.verified_tick)}, its record comes out otherwise` }), bot.verified) : null);
}

// `key` names a column in the address; without `optional` it is always there.
const COLUMNS = [
  { key: "choose", label: "Compare", hiddenLabel: true, class: "choose", text: (bot) => `${bot.bot_id}${chosen.has(bot.bot_id)}`, node: chooser },
  {
    key: "rank", label: "#", title: "Rank by equity. ▲ and ▼: since this page was opened.", num: true, class: "rank",
    text: (bot) => `${whole(bot.rank)}${moved(bot)}`, node: (bot) => h("span", null, moved(bot) ? h("small", { class: "moved" }, moved(bot)) : null, whole(bot.rank)),
    mark: (bot) => ({ "data-tie": tieOf(bot) }),
    tip: (bot) => (tieOf(bot) ? `Cannot be told apart yet from ranks ${bot.tie_first} to ${bot.tie_last}${bot.ticks_to_separate ? `; about ${whole(bot.ticks_to_separate)} more ticks until it separates from the next` : ""}.` : null),
  },
  { key: "bot", label: "Bot", class: "name", value: (bot) => bot.name, text: (bot) => JSON.stringify([bot.name, provenance(bot), bot.bot_id, bot.status, bot.note, bot.verified, isOwn(bot.bot_id)]), node: who },
  { key: "spark", label: "Equity curve", title: "Equity over the season, each on its own scale", class: "spark-cell", text: (bot) => `${sparks.get(bot.bot_id)?.length ?? 0} ${sparks.get(bot.bot_id)?.at(-1) ?? ""}`, node: spark, optional: true, shown: true },
  { key: "equity", ...amount("Equity", "equity", "Cash plus positions at the last known prices") },
  { key: "return", ...gain("Return", "return_pct", "Equity against the starting cash. After a few minutes it is mostly chance."), text: (bot) => signedPercent(bot.return_pct) },
  { key: "excess", ...gain("Excess", "excess_pct", "Return beyond the benchmark"), text: (bot) => signedPercent(bot.excess_pct), optional: true, only: (bot) => bot.excess_pct !== undefined, shown: true },
  { key: "drawdown", ...share("Drawdown", "max_drawdown_pct", "Largest fall from a peak, over every tick"), text: (bot) => percent(bot.max_drawdown_pct), optional: true, shown: true },
  { key: "trades", ...amount("Trades", "trades", "Orders that were filled"), text: (bot) => whole(bot.trades), optional: true, shown: true },
  { key: "rejected", ...amount("Rejected", "rejected", "Orders that were not filled; the bot's page says why"), text: (bot) => whole(bot.rejected), optional: true, shown: true },
  { key: "errors", ...amount("Errors", "errors", "Ticks at which the bot raised an exception"), text: (bot) => whole(bot.errors), tip: (bot) => bot.last_error, optional: true, shown: true },
  { key: "holds", label: "Holds", title: "Positions at this moment", class: "holds", text: (bot) => holdings(bot) || DASH, tip: holdings, tone: (bot) => (holdings(bot) ? "" : "none"), optional: true, shown: true },
  { key: "status", label: "Status", title: "Whether it is asked at each tick", text: (bot) => bot.status, value: (bot) => bot.status, node: (bot) => badge(h("span", { class: "badge" }), bot.status), tip: (bot) => (typeof bot.recovered === "number" ? `${percent(100 * bot.recovered, 0)} of its past shown again` : bot.note || bot.last_error), optional: true },
  { key: "verdict", label: "Verdict", title: "Against the benchmark; holds however often one looks", text: (bot) => bot.verdict ?? DASH, value: (bot) => bot.verdict ?? "", only: (bot) => bot.verdict !== undefined, optional: true },
  { key: "sharpe", ...amount("Sharpe", "sharpe", "Mean return over its spread, scaled to a year; needs 30 periods of the score clock"), text: (bot) => needs(bot, "sharpe", number(bot.sharpe)), optional: true },
  { key: "realised", ...gain("Realised", "realized_pnl", "Profit and loss of what was sold"), optional: true },
  { key: "unrealised", ...gain("Unrealised", "unrealized_pnl", "Profit and loss of what is held"), optional: true },
  { key: "cash", ...amount("Cash", "cash", "What is not invested"), optional: true },
  { key: "wins", ...share("Wins", "win_rate_pct", "Sales above the average cost, before fees"), optional: true },
  { key: "turnover", ...amount("Turnover", "turnover", "Value of all trades over the starting cash"), optional: true },
  { key: "exposed", ...share("Exposed", "exposure_pct", "Ticks with a position"), optional: true },
  { key: "fees", ...amount("Fees", "fees", "Paid so far"), optional: true },
  { key: "author", label: "Author", title: "Who sent it", text: (bot) => bot.author || DASH, value: (bot) => bot.author, optional: true },
  { key: "model", label: "Model", title: "Which model wrote it", text: (bot) => bot.model ?? DASH, value: (bot) => bot.model ?? "", optional: true },
  { key: "age", label: "Age", title: "Since it was admitted", num: true, text: (bot) => age(bot.admitted_at), value: (bot) => (bot.admitted_at ? -bot.admitted_at : null), tip: (bot) => (bot.admitted_at ? when(bot.admitted_at) : null), optional: true },
  {
    key: "proved", label: "Proved", title: "Its record was run again and came out the same", text: (bot) => bot.verified ?? "", value: (bot) => bot.verified ?? "", optional: true,
    node: (bot) => (bot.verified ? badge(h("span", { class: "badge" }), bot.verified === "reproduced" ? "proved" : bot.verified) : ""),
    tip: (bot) => (bot.verified ? `Run again on the recorded ticks, up to tick ${whole(bot.verified_tick)}: ${bot.verified}` : null),
  },
];

const TRADES = [
  { label: "Time", text: (trade) => when(trade.time), node: (trade) => time(trade.time, when(trade.time)) },
  { label: "Bot", class: "name", text: (trade) => JSON.stringify([trade.bot_id, trade.bot_name]), node: (trade) => h("div", { class: "who" }, botLink(trade.bot_id, trade.bot_name, season)) },
  { label: "Side", text: (trade) => trade.side, tone: (trade) => trade.side },
  { label: "Size", num: true, text: (trade) => size(trade.size) },
  { label: "Symbol", text: (trade) => trade.symbol },
  { label: "Price", num: true, text: (trade) => price(trade.price) },
  { label: "Realised", num: true, text: (trade) => (trade.side === "SELL" ? signed(trade.realized_pnl) : ""), tone: (trade) => (trade.side === "SELL" ? tone(trade.realized_pnl) : "") },
];

// -- filters and groups

const folded = (text) => String(text ?? "").normalize("NFKC").toLowerCase();

/** Every word of the search stands somewhere in a bot's name, author, writer, status or symbols; an id is taken whole. */
function matching(items, view) {
  const words = folded(view.q).split(/\s+/).filter(Boolean);
  return items.filter((bot) => {
    if (view.mine && !isOwn(bot.bot_id)) return false;
    if ((view.origin && bot.origin !== view.origin) || (view.status && bot.status !== view.status)) return false;
    if ((view.author && bot.author !== view.author) || (view.model && bot.model !== view.model)) return false;
    if (view.symbol && !(view.symbol in (bot.positions ?? {}))) return false;
    if (words.length === 0) return true;
    const text = folded([bot.name, provenance(bot), bot.model, bot.status, holdings(bot), (bot.symbols ?? []).join(" ")].join(" "));
    return words.every((word) => text.includes(word)) || bot.bot_id === words[0];
  });
}

const GROUP_OF = { author: (bot) => bot.author || "nobody", model: (bot) => bot.model ?? "written by hand", origin: (bot) => bot.origin, prompt: (bot) => bot.submission_id ?? "no prompt" };

function grouped(items, by) {
  const groups = new Map();
  for (const bot of items) {
    const name = GROUP_OF[by](bot);
    groups.set(name, [...(groups.get(name) ?? []), bot]);
  }
  const middle = (sorted) => (sorted.length % 2 ? sorted[(sorted.length - 1) / 2] : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2);
  return [...groups].map(([name, bots]) => {
    const returns = bots.map((bot) => bot.return_pct).filter((value) => typeof value === "number").sort((a, b) => a - b);
    const mean = returns.reduce((sum, value) => sum + value, 0) / returns.length;
    return {
      name, count: bots.length, best: returns.at(-1), median: returns.length ? middle(returns) : null, mean: returns.length ? mean : null,
      spread: returns.length > 1 ? Math.sqrt(returns.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (returns.length - 1)) : null,
      idle: bots.filter((bot) => bot.trades === 0).length, first: bots[0],
    };
  }).sort((a, b) => (b.mean ?? -Infinity) - (a.mean ?? -Infinity));
}

const groupColumns = (by) => [
  { label: by === "prompt" ? "Prompt of" : "Group", class: "name", value: (group) => group.name, text: (group) => (by === "prompt" && group.name !== "no prompt" ? group.first.name : group.name) },
  { label: "Bots", num: true, text: (group) => whole(group.count), value: (group) => group.count },
  ...[["Mean return", "mean"], ["Median", "median"], ["Best", "best"]].map(([label, field]) => ({ label, num: true, text: (group) => signedPercent(group[field]), value: (group) => group[field], tone: (group) => tone(group[field]) })),
  { label: "Spread", title: "Standard deviation of the returns", num: true, text: (group) => percent(group.spread), value: (group) => group.spread },
  { label: "Never traded", num: true, text: (group) => whole(group.idle), value: (group) => group.idle },
];

function fillChoices(items, view) {
  const choices = { origin: (bot) => [bot.origin], status: (bot) => [bot.status], author: (bot) => [bot.author], model: (bot) => [bot.model], symbol: (bot) => Object.keys(bot.positions ?? {}) };
  for (const [name, of] of Object.entries(choices)) {
    const select = $(FILTERS[name]);
    const found = [...new Set([...items.flatMap(of).filter(Boolean), ...(view[name] ? [view[name]] : [])])].sort();
    const known = [...select.options].slice(1).map(({ value }) => value);
    if (found.join("\n") !== known.join("\n")) {
      select.replaceChildren(select.options[0], ...found.map((value) => h("option", { value }, value.replaceAll("_", " "))));
      select.value = view[name];
    }
    // A choice of one is no choice.
    select.parentElement.hidden = found.length < 2 && !view[name];
  }
}

// -- the ranked table

/**
 * The table with its search, filters and columns.
 *
 * The first bots are enough for most; `wantsAll` says that a view of the others needs every one.
 */
function rankedTable(reload, drawn) {
  const view = readAddress();
  const standard = COLUMNS.filter((column) => column.optional && column.shown).map(({ key }) => key);
  const stored = memory.read("columns", null);
  let visible = new Set(view.columns ? view.columns.split(",") : Array.isArray(stored) ? stored : standard);
  let table = null;
  let made = "";
  let all = [];
  let complete = true;
  let limit = SHOWN;
  let sort = null;
  const more = $("board-more");
  const filtered = () => ["q", "origin", "status", "author", "model", "symbol", "group", "mine"].some((name) => view[name] !== "");
  const wantsAll = () => season !== null || filtered() || sort !== null || limit > SHOWN;

  const columns = () => COLUMNS.filter((column) => (!column.optional || visible.has(column.key)) && (!column.only || all.some(column.only)));
  const build = () => {
    const shape = view.group || columns().map(({ key }) => key).join();
    if (shape === made) return;
    made = shape;
    table = view.group
      ? new Table($("board-table"), { columns: groupColumns(view.group), key: ({ name }) => name, empty: $("board-empty"), caption: "Groups of bots", first: 0 })
      : new Table($("board-table"), { columns: columns(), key: (bot) => bot.bot_id, empty: $("board-empty"), caption: "Bots by rank", first: 2 });
    $("board-table").classList.toggle("board", !view.group);
    const at = columns().findIndex(({ key }) => view.sort.replace(/^-/, "") === key);
    if (at >= 0 && !view.group) table.setSort(at, !view.sort.startsWith("-"));
    sort = table.sort;
    table.sorting = () => {
      sort = table.sort;
      view.sort = sort && !view.group ? `${sort.down ? "" : "-"}${columns()[sort.column].key}` : "";
      change();
    };
  };
  const draw = () => {
    fillChoices(all, view);
    build();
    const found = matching(all, view);
    if (all.length > 0) $("board-empty").textContent = "No bot matches these choices. Take one away to see more.";
    const rows = view.group ? grouped(found, view.group) : found;
    table.limit = limit;
    table.update(rows);
    const left = rows.length - limit;
    more.hidden = left <= 0 && complete;
    more.textContent = complete ? `Show ${plural(Math.min(left, MORE), "more bot")} of ${whole(left)}` : "Show more bots";
    $("board-found").textContent = filtered() && complete ? `${plural(found.length, "bot")} found` : "";
    drawn(view.group ? [] : table.shown());
  };
  const change = () => {
    writeAddress({ ...view, chosen: [...chosen].join(",") });
    draw();
    if (!complete && wantsAll()) reload();
  };
  for (const [name, id] of Object.entries(FILTERS)) {
    $(id).value = view[name];
    $(id).addEventListener("input", ({ target }) => { view[name] = target.value; change(); });
  }
  $("only-mine").checked = view.mine !== "";
  $("only-mine").addEventListener("change", ({ target }) => { view.mine = target.checked ? "1" : ""; change(); });
  more.addEventListener("click", () => { limit += MORE; change(); });
  $("columns-choice").replaceChildren(...COLUMNS.filter(({ optional }) => optional).map(({ key, label, title }) =>
    h("label", { class: "check", title }, h("input", { type: "checkbox", checked: visible.has(key), change: ({ target }) => {
      visible = new Set(COLUMNS.map((column) => column.key).filter((known) => (known === key ? target.checked : visible.has(known))));
      view.columns = [...visible].join(",") === standard.join(",") ? "" : [...visible].join(",");
      memory.write("columns", [...visible]);
      change();
    } }), ` ${label}`)));
  return {
    wantsAll, redraw: () => { if (table) draw(); }, address: () => writeAddress({ ...view, chosen: [...chosen].join(",") }),
    show: (items, isComplete) => { all = items; complete = isComplete; $("board-tools").hidden = complete && items.length < 2; draw(); },
  };
}

/** The board from its top: its first bots, or all of them page by page. */
async function readBoard(all) {
  const first = await get(inSeason(`/leaderboard?limit=${all ? PAGE : SHOWN}`, season));
  const items = [...first.items];
  let cursor = first.next_cursor;
  while (all && cursor !== null) {
    const page = await get(inSeason(`/leaderboard?limit=${PAGE}&cursor=${cursor}`, season));
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  // A bot that has moved between two pages would stand there twice.
  return { ...first, items: [...new Map(items.map((bot) => [bot.bot_id, bot])).values()], complete: cursor === null };
}

/** Equity curves of some bots: a known one grows by the board's own snapshots, only a new one costs a request. */
async function readCurves(ids, limit) {
  const found = new Map();
  for (let at = 0; at < ids.length; at += CURVES_A_REQUEST) {
    const query = ids.slice(at, at + CURVES_A_REQUEST).map((id) => `bot=${encodeURIComponent(id)}`).join("&");
    for (const curve of (await get(inSeason(`/curves?${query}&limit=${limit}`, season))).items) found.set(curve.bot_id, curve);
  }
  return found;
}

class TopCurves {
  constructor() {
    this.curves = new Curves($("curves"), "Equity of chosen bots");
    this.lines = new Map();
  }

  async follow(items, asOf, base) {
    const wanted = chosen.size > 0 ? items.filter((bot) => chosen.has(bot.bot_id)) : items.slice(0, LEADERS);
    $("curves-note").textContent = chosen.size > 0 ? `of the ${plural(wanted.length, "bot")} you chose` : `of the first ${wanted.length === 1 ? "bot" : wanted.length}; choose others by their boxes below`;
    for (const id of this.lines.keys()) if (!wanted.some((bot) => bot.bot_id === id)) this.lines.delete(id);
    const missing = wanted.filter((bot) => !this.lines.has(bot.bot_id)).map((bot) => bot.bot_id);
    const read = missing.length > 0 ? await readCurves(missing, CURVE_POINTS) : new Map();
    for (const bot of wanted) this.extend(bot, read.get(bot.bot_id), asOf);
    await this.curves.update(wanted.map((bot) => this.lines.get(bot.bot_id)).filter(Boolean), base);
  }

  extend(bot, read, asOf) {
    const line = this.lines.get(bot.bot_id);
    if (!line) {
      const taken = new Set([...this.lines.values()].map(({ slot }) => slot));
      const slot = [...Array(CHOSEN).keys()].find((free) => !taken.has(free)) ?? 0;
      this.lines.set(bot.bot_id, { id: bot.bot_id, name: bot.name, href: botAddress(bot.bot_id, season), slot, points: read ? points(read.times, read.equity) : [] });
    } else if (typeof asOf === "number" && typeof bot.equity === "number" && asOf > (line.points.at(-1)?.time ?? 0)) {
      line.points.push({ time: asOf, value: bot.equity });
    }
  }
}

function tradesList() {
  const table = new Table($("recent-trades"), { columns: TRADES, key: (trade) => trade.id, empty: $("recent-trades-empty"), caption: "Recent trades, newest first" });
  let trades = [];
  const show = (items) => {
    trades = [...new Map([...items, ...trades].map((trade) => [trade.id, trade])).values()].slice(0, RECENT);
    table.update(trades);
  };
  const redraw = calm(() => show([]), 500);
  if (season === null) live.addEventListener("trade", ({ detail }) => { trades.unshift(detail); redraw(); });
  return async () => {
    try {
      const { items } = await get(inSeason(`/trades?limit=${RECENT}`, season));
      trades = [];
      show(items);
    } catch (error) {
      if (!stopped(error)) $("recent-trades-empty").textContent = error.message;
    }
  };
}

async function loadPrices() {
  try {
    takePrices(await get("/prices"));
    drawPrices();
  } catch (error) {
    $("prices-empty").hidden = false;
    $("prices-empty").textContent = error.message;
  }
}

/** Ranks when this tab first showed the board of this season: what the arrows are counted from. */
function rememberRanks(about, items) {
  const name = `arena.ranks.${about.id}`;
  try {
    const known = JSON.parse(sessionStorage.getItem(name) ?? "null");
    firstRanks = known ?? Object.fromEntries(items.map((bot) => [bot.bot_id, bot.rank]));
    if (!known) sessionStorage.setItem(name, JSON.stringify(firstRanks));
  } catch {
    firstRanks ??= Object.fromEntries(items.map((bot) => [bot.bot_id, bot.rank]));
  }
}

/** How many bots play, where not all of them were fetched. */
const playing = () => Object.entries(live.status?.bots ?? {}).reduce((sum, [state, count]) => (["retired", "total"].includes(state) ? sum : sum + count), 0);

function drawTie(board) {
  const { separation, baselines = [], random_band: band } = board.summary ?? {};
  $("board-tie").hidden = !separation;
  $("board-tie").textContent = separation ?? "";
  $("board-baselines").hidden = baselines.length === 0 && !band;
  pairs($("board-baselines"), [
    ...baselines.map(({ name, return_pct: gained }) => [name, h("span", { class: "num", "data-tone": tone(gained) }, signedPercent(gained))]),
    ["90 % of random traders", band ? h("span", { class: "num" }, `${signedPercent(band.low_pct)} to ${signedPercent(band.high_pct)}`) : null],
  ]);
}

function start() {
  const top = new TopCurves();
  const loadTrades = tradesList();
  let board = null;
  const fillSparks = calm(async () => {
    const missing = table.visible.filter((bot) => !sparks.has(bot.bot_id)).map((bot) => bot.bot_id);
    if (missing.length === 0) return;
    const read = await readCurves(missing, SPARK_POINTS).catch(() => new Map());
    for (const id of missing) sparks.set(id, read.get(id)?.equity ?? []);
    table.redraw();
  }, 1000);
  const load = async () => {
    try {
      board = await readBoard(table.wantsAll());
      const { season: about, items, as_of: asOf, complete } = board;
      showProblem($("board-problem"), null);
      if (firstRanks === null) rememberRanks(about, items);
      for (const bot of items) {
        const values = sparks.get(bot.bot_id);
        if (values && typeof bot.equity === "number" && values.at(-1) !== bot.equity) values.push(bot.equity);
        if (values?.length > 2 * SPARK_POINTS) values.splice(1, 1);
      }
      table.show(items, complete);
      drawTie(board);
      const moment = typeof asOf === "number" ? `as of ${when(asOf)}` : "no figures yet";
      const count = complete ? items.length : Math.max(playing(), items.length + 1);
      $("board-as-of").textContent = items.length > 0 ? `${plural(count, "bot")}, ${moment}` : "";
      await top.follow(items, asOf, about?.starting_cash ?? null);
    } catch (error) {
      if (!stopped(error)) showProblem($("board-problem"), error, load);
    }
  };
  const table = rankedTable(calm(load, 500), (shown) => { table.visible = shown; fillSparks(); });
  table.visible = [];
  const button = $("compare-chosen");
  chosenChanged = async () => {
    button.hidden = chosen.size < 2;
    button.textContent = `Compare ${chosen.size}`;
    table.address();
    if (board) await top.follow(board.items, board.as_of, board.season.starting_cash);
  };
  button.addEventListener("click", () => { location.assign(`/compare?bots=${[...chosen].map(encodeURIComponent).join(",")}`); });
  button.hidden = chosen.size < 2;
  button.textContent = `Compare ${chosen.size}`;

  if (season !== null) {
    load().then(loadTrades);
    return;
  }
  const reload = calm(async () => { await load(); await loadTrades(); }, GAP_MS);
  live.addEventListener("leaderboard", reload);
  live.addEventListener("tick", () => drawPrices());
  live.addEventListener("status", () => drawPrices());
  live.addEventListener("resync", () => { top.lines.clear(); sparks.clear(); firstRanks = null; reload(); loadPrices(); });
  promptForm();
  loadPrices();
  reload();
}

start();
