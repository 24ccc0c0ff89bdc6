// One bot: price with its trades over equity and drawdown, what it did and why, its log and its record.

import { confirmed, get, inSeason, path, stopped, write } from "./api.js";
import { BotChart } from "./botchart.js";
import { diffView } from "./code.js";
import { $, badge, calm, guest, h, pageSeason, pairs, showProblem, time } from "./dom.js";
import { claimList, findingList } from "./findings.js";
import { warningsOf } from "./forms.js";
import { DASH, duration, number, percent, plural, price, signed, signedPercent, size, tone, when, whole } from "./format.js";
import { live, takePrices } from "./live.js";
import { isOwn, rememberBot, rememberSubmission } from "./memory.js";
import { Paged } from "./paged.js";
import { Table } from "./table.js";
import { tabs } from "./tabs.js";
import { roundTrips } from "./trips.js";

const season = pageSeason();
const id = $("bot").dataset.bot;
const url = path("bots", id);
const of = (part) => inSeason(`${url}${part}`, season);
const GAP_MS = 4000;
const OVER = ["retired", "refused", "refused_by_upgrade"];
const STOPPED = ["quarantined", ...OVER];

const failed = (error) => showProblem($("bot-problem"), error);
const moment = (item) => time(item.time, when(item.time));

// -- tables

const whyButton = (trade) => h("button", { type: "button", class: "link", "aria-label": `Why the ${trade.side} of ${when(trade.time)}?`, click: () => explain(trade) }, "why?");

const TRADES = [
  { label: "Time", text: (trade) => when(trade.time), node: moment },
  { label: "Side", text: (trade) => trade.side, tone: (trade) => trade.side },
  { label: "Size", num: true, text: (trade) => size(trade.size) },
  { label: "Symbol", text: (trade) => trade.symbol },
  { label: "Price", num: true, text: (trade) => price(trade.price) },
  { label: "Realised", num: true, text: (trade) => (trade.side === "SELL" ? signed(trade.realized_pnl) : ""), tone: (trade) => (trade.side === "SELL" ? tone(trade.realized_pnl) : "") },
  { label: "Cash after", num: true, text: (trade) => number(trade.cash_after) },
  { label: "Holds after", num: true, text: (trade) => size(trade.position_after) },
  { label: "Fee", num: true, text: (trade) => number(trade.fee) },
  { label: "Why", text: (trade) => String(trade.id), node: whyButton },
];

const TRIPS = [
  { label: "Opened", text: ({ from }) => when(from), node: ({ from }) => time(from, when(from)), value: ({ from }) => from },
  { label: "Symbol", text: ({ symbol }) => symbol, value: ({ symbol }) => symbol },
  { label: "Held for", num: true, text: (trip) => duration(trip.to - trip.from), value: (trip) => trip.to - trip.from },
  { label: "Size", title: "Largest position", num: true, text: ({ size: held }) => size(held) },
  { label: "Bought at", title: "Average price", num: true, text: ({ bought }) => price(bought) },
  { label: "Sold at", title: "Average price", num: true, text: ({ sold }) => price(sold) },
  { label: "P&L", title: "Profit and loss after fees", num: true, text: ({ pnl }) => signed(pnl), tone: ({ pnl }) => tone(pnl), value: ({ pnl }) => pnl },
  { label: "P&L %", num: true, text: ({ share }) => signedPercent(share), tone: ({ share }) => tone(share), value: ({ share }) => share },
];

/** The reason of a refusal, or at what the order was filled; a clamped sale fills less than it asked. */
function outcome({ reason, fill_size: filled, fill_price: at }) {
  const fill = typeof filled === "number" && typeof at === "number" ? `${size(filled)} at ${price(at)}` : null;
  return [fill, reason].filter(Boolean).join(". ");
}

const ORDERS = [
  { label: "Time", text: (order) => when(order.time), node: moment },
  { label: "Side", text: (order) => order.side ?? DASH, tone: (order) => order.side ?? "" },
  { label: "Size", num: true, text: (order) => (typeof order.size === "number" ? size(order.size) : String(order.size ?? DASH)) },
  { label: "Symbol", text: (order) => order.symbol ?? DASH },
  { label: "Status", text: (order) => order.status, node: (order) => badge(h("span", { class: "badge" }), order.status) },
  { label: "Outcome", class: "wide", text: outcome, tip: (order) => (order.fill_time ? when(order.fill_time) : null) },
];

const LOGS = [
  { label: "Time", text: (line) => when(line.time), node: moment },
  { label: "Tick", num: true, text: (line) => whole(line.tick) },
  { label: "Level", text: (line) => line.level ?? "", tone: (line) => String(line.level ?? "").toLowerCase() },
  { label: "Message", class: "message", text: (line) => line.message ?? "" },
];

const POSITIONS = [
  { label: "Symbol", text: ({ symbol }) => symbol },
  { label: "Size", num: true, text: ({ held }) => size(held) },
  { label: "Price", num: true, text: ({ symbol }) => price(prices()?.[symbol]) },
  { label: "Value", num: true, text: ({ symbol, held }) => number(prices()?.[symbol] * held) },
];

let current = null;
let lastPrices = null;
const prices = () => (season === null ? live.prices : lastPrices);

const make = (name, columns, limit, caption, wanted) => new Paged({
  url: of(`/${name}?limit=${limit}`), failed, older: $(`bot-${name}-older`), wanted,
  table: new Table($(`bot-${name}`), { columns, key: (item) => item.id, empty: $(`bot-${name}-empty`), caption }),
});
const trades = make("trades", TRADES, 1000, "Trades, newest first");
const orders = make("orders", ORDERS, 200, "Orders, newest first", (order) => !$("orders-rejected").checked || order.status === "rejected");
const logs = make("logs", LOGS, 200, "Log, newest first", (line) => (!$("log-level").value || line.level === $("log-level").value)
  && String(line.message ?? "").toLowerCase().includes($("log-search").value.toLowerCase()));
const trips = new Table($("bot-trips"), { columns: TRIPS, key: ({ key }) => key, empty: $("bot-trips-empty"), caption: "Round trips, newest first" });
const positions = new Table($("bot-positions"), { columns: POSITIONS, key: ({ symbol }) => symbol, empty: $("bot-positions-empty"), caption: "Positions" });
const chart = new BotChart({ host: $("bot-chart"), tools: $("chart-tools"), of, explain: (trade) => explain(trade), ask: (tick) => offerTick(tick) });

// -- why it traded

const near = (one, other) => Math.abs(one - other) < 1e-6;

/** Log lines of the tick that sent an order. */
function linesOfTick(order) {
  return logs.items.filter((line) => order && near(line.time, order.time) && line.level !== "ERROR").map(({ message }) => message);
}

/** What a trade was: price, what it earned, and why; the log says it where the bot does, a second run says more. */
async function explain(trade) {
  const order = orders.items.find((one) => one.symbol === trade.symbol && one.side === trade.side && one.fill_time !== null && near(one.fill_time, trade.time));
  const said = linesOfTick(order);
  const facts = h("p", null, h("strong", null, `${trade.side} ${size(trade.size)} ${trade.symbol}`), ` at ${price(trade.price)}, `, moment(trade),
    trade.side === "SELL" ? h("span", { "data-tone": tone(trade.realized_pnl) }, `, realised ${signed(trade.realized_pnl)}`) : "");
  await openWhy("Why this trade?", [facts, ...inItsWords(said)], `/trades/${trade.id}/explain`, said.length > 0);
}

const inItsWords = (lines) => lines.map((line) => h("p", { class: "said" }, guest(line)));

let asked = 0;

/**
 * Open the box with what is known at once, and add what a second run says; the newest question wins. The page holds the
 * newest lines of the log only: where none of them is shown (`said`), the second run's are.
 */
async function openWhy(title, known, address, said = false) {
  const box = $("bot-why");
  const more = h("div", { class: "explained" });
  const close = h("button", { type: "button", class: "link", click: () => { box.hidden = true; } }, "Close");
  box.replaceChildren(h("div", { class: "card-head" }, h("h3", null, title), close), ...known, more);
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
  asked += 1;
  const own = asked;
  more.replaceChildren(h("p", { class: "hint" }, "The bot is run again to this tick …"));
  try {
    const found = await get(of(address));
    if (own === asked) drawExplanation(more, found, said);
  } catch (error) {
    if (own === asked) more.replaceChildren(h("p", { class: "hint" }, error.message));
  }
}

/** A place on the chart that is no trade: its tick is put into the question below. */
function offerTick(tick) {
  if (tick !== null) $("why-tick").value = tick;
}

function listenWhy() {
  $("why-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("why-tick").value.trim();
    if (!/^\d{1,15}$/.test(text)) {
      openWhyProblem("Give the number of a tick, or click into the chart.");
      return;
    }
    openWhy(`What did it do at tick ${whole(Number(text))}, and why?`, [], `/ticks/${Number(text)}/explain`);
  });
}

function openWhyProblem(words) {
  $("bot-why").replaceChildren(h("p", { class: "hint", role: "alert" }, words));
  $("bot-why").hidden = false;
}

function drawExplanation(host, found, said) {
  const { line, sentence, conditions = [], locals = {}, globals = {}, prices: around = [], without } = found;
  if (typeof line === "number") {
    document.querySelectorAll(".code-line.explained").forEach((element) => element.classList.remove("explained"));
    $(`L${line}`)?.classList.add("explained");
  }
  const rows = (values) => Object.entries(values).map(([name, value]) => h("tr", null, h("th", { scope: "row" }, h("code", null, name)), h("td", { class: "wide" }, h("code", null, typeof value === "string" ? value : JSON.stringify(value)))));
  const facts = [...rows(locals), ...rows(globals)];
  const worth = (one) => (typeof one === "number" ? size(one) : typeof one === "string" ? one : JSON.stringify(one));
  // A condition of one part says the same as its part: then only the values are told.
  const part = ({ text, held, values }, index, all) => [all.length > 1 ? `${text} ${held === null ? "cannot be told" : held ? "holds" : "does not hold"}` : "",
    Object.entries(values ?? {}).map(([name, one]) => `${name} = ${worth(one)}`).join(", ")].filter(Boolean).join(": ");
  const logged = found.logs?.length ? inItsWords(found.logs)
    : [h("p", { class: "hint" }, "The bot logged nothing at this tick. A bot that logs its reasons shows them here.")];
  host.replaceChildren(
    ...(said ? [] : logged),
    sentence ? h("p", null, guest(sentence)) : "",
    typeof line === "number" ? h("p", null, h("a", { href: `#L${line}`, click: () => show.tab("Source") }, `Line ${line}`), " sent the order.") : "",
    conditions.length ? h("ul", { class: "findings" }, conditions.map((one) => h("li", null,
      h("span", { class: "badge", "data-status": one.held ? "met" : one.held === false ? "" : "cannot tell" }, one.held === null ? "cannot tell" : one.held ? "true" : "false"),
      h("span", null, h("code", null, one.text), h("small", null, ` ${(one.parts ?? []).map(part).filter(Boolean).join("; ")}`)), h("small", null, `line ${one.line}`)))) : "",
    facts.length ? h("details", null, h("summary", null, "Its variables at that moment"), h("table", null, h("tbody", null, facts))) : "",
    around.length ? h("details", null, h("summary", null, "Prices around it"), pricesAround(around, found.tick)) : "",
    without?.sentence ? h("p", null, guest(without.sentence)) : "");
}

/** The ticks around one, that one marked. */
function pricesAround(around, tick) {
  const symbols = [...new Set(around.flatMap(({ prices: known }) => Object.keys(known)))];
  return h("div", { class: "table-scroll tall", tabindex: "0", role: "group", "aria-label": "Prices around it" }, h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col", class: "num" }, "Tick"), symbols.map((symbol) => h("th", { scope: "col", class: "num" }, symbol)))),
    h("tbody", null, around.map((one) => h("tr", { "aria-current": one.tick === tick ? "true" : null }, h("th", { scope: "row", class: "num" }, whole(one.tick)), symbols.map((symbol) => h("td", { class: "num" }, price(one.prices[symbol]))))))));
}

// -- what is known of the bot itself

const tile = (label, shown, toned) => [label, h("span", { class: "num", "data-tone": toned ?? "" }, shown), { "data-metric": label }];
const needs = (bot, field, shown) => (typeof bot[field] === "number" ? shown : `needs 30${typeof bot.periods === "number" ? `, has ${bot.periods}` : ""}`);

function drawMetrics(bot) {
  pairs($("bot-metrics"), [
    tile("Rank", whole(bot.rank)), tile("Equity", number(bot.equity)), tile("Return", signedPercent(bot.return_pct), tone(bot.return_pct)),
    tile("Max drawdown", percent(bot.max_drawdown_pct)), tile("Trades", whole(bot.trades)), tile("Rejected", whole(bot.rejected)),
  ]);
  const closed = trips.items;
  const held = closed.length ? closed.reduce((sum, trip) => sum + trip.to - trip.from, 0) / closed.length : null;
  pairs($("bot-statistics"), [
    tile("Sharpe", needs(bot, "sharpe", number(bot.sharpe))), tile("Excess", bot.excess_pct === undefined ? null : signedPercent(bot.excess_pct), tone(bot.excess_pct)),
    tile("Win rate", percent(bot.win_rate_pct, 1)), tile("Turnover", number(bot.turnover)), tile("Exposure", percent(bot.exposure_pct, 1)), tile("Fees", number(bot.fees)),
    tile("Realised", signed(bot.realized_pnl), tone(bot.realized_pnl)), tile("Unrealised", signed(bot.unrealized_pnl), tone(bot.unrealized_pnl)), tile("Cash", number(bot.cash)),
    tile("Errors", whole(bot.errors)), tile("Round trips", whole(closed.length)), tile("Average holding", held === null ? DASH : duration(held)),
    tile("Best trip", closed.length ? signed(Math.max(...closed.map(({ pnl }) => pnl))) : DASH), tile("Worst trip", closed.length ? signed(Math.min(...closed.map(({ pnl }) => pnl))) : DASH),
    tile("Memory brought back", typeof bot.recovered === "number" ? percent(100 * bot.recovered, 0) : null),
    tile("CPU per tick", typeof bot.cpu_ms === "number" ? `${number(bot.cpu_ms, 2)} ms` : null),
  ].filter(([, shown]) => shown.textContent !== "null" && shown.textContent !== ""));
}

function drawActions(bot) {
  badge($("bot-status"), bot.status);
  $("bot-mine").hidden = !isOwn(bot.bot_id);
  // What is over cannot be changed.
  if (season !== null) return;
  $("bot-pause").hidden = bot.status === "paused" || STOPPED.includes(bot.status);
  $("bot-resume").hidden = bot.status !== "paused";
  $("bot-retire").hidden = OVER.includes(bot.status);
}

/** Whether a restart finds the bot's memory, or has to show the bot its past again. */
function memoryWords({ tick, size, problem }) {
  const saved = tick === null ? "not saved" : `saved at tick ${whole(tick)} (${whole(Math.ceil(size / 1024))} KiB)`;
  return problem ? `${saved}; it cannot be saved: ${problem}. After a restart the bot is shown its past again.` : saved;
}

function drawWords(bot) {
  const warnings = [...new Set([...(bot.warnings ?? []), ...warningsOf(bot.bot_id)])];
  const notices = [["note", bot.note], ["reason", bot.reason], ["last-error", bot.last_error === bot.reason ? null : bot.last_error],
    ...warnings.map((text) => ["warning", text])].filter(([, text]) => text);
  $("bot-notices").replaceChildren(...notices.map(([kind, text]) => h("p", { class: "notice", "data-notice": kind }, guest(text))));
  pairs($("bot-facts"), [
    ["Symbols", bot.symbols?.join(", ")],
    ["Version", bot.version],
    ["Admitted", bot.admitted_at ? h("span", null, moment({ time: bot.admitted_at }), `, tick ${whole(bot.admitted_tick)}`) : null],
    // Where the folder lies on the server is nobody's business.
    ["File", bot.path?.split("/").at(-1)],
    ["Proved", bot.verified ? `${bot.verified}, up to tick ${whole(bot.verified_tick)}` : "not yet"],
    ["Memory", bot.snapshot ? guest(memoryWords(bot.snapshot)) : null],
    ["Source hash", bot.source_hash ? h("code", { title: bot.source_hash }, bot.source_hash.slice(0, 16)) : null],
    ["Receipt", bot.receipt ? h("code", null, String(bot.receipt.hash ?? bot.receipt).slice(0, 16)) : null],
  ]);
}

const drawPositions = () => positions.update(Object.entries(current?.positions ?? {}).map(([symbol, held]) => ({ symbol, held })));

function apply(bot) {
  current = bot;
  drawWords(bot);
  drawActions(bot);
  drawMetrics(bot);
  drawPositions();
}

function drawTrades() {
  trips.update(roundTrips(trades.items));
  chart.setTrades(trades.items);
  if (current) drawMetrics(current);
}

// -- statistics and findings of their own routes, where the arena has them

async function optional(part, draw) {
  try {
    draw(await get(of(`/${part}`)));
  } catch (error) {
    if (![404, 405, 409, 422].includes(error.status) && !stopped(error)) failed(error);
  }
}

const shownValue = (value) => (typeof value === "number" ? number(value, Math.abs(value) < 1 ? 3 : 2) : Array.isArray(value) ? value.map(shownValue).join(" to ") : String(value));

const UNITS = { "%": (value) => percent(value), seconds: (value) => duration(value), ratio: (value) => shownValue(value), "ratio a year": (value) => shownValue(value), "% a year": (value) => `${percent(value)} a year`, probability: (value) => shownValue(value), periods: (value) => plural(Math.round(value), "period") };
/** What the figures of the score clock are called. */
const FIGURES = {
  sharpe: "Sharpe ratio", sortino: "Sortino ratio", calmar: "Calmar ratio", volatility_pct: "Volatility",
  max_drawdown_pct: "Largest drawdown", drawdown_periods: "Length of it", drawdown_now_pct: "Drawdown now",
  best_period_pct: "Best period", worst_period_pct: "Worst period", profit_factor: "Profit factor",
  expectancy: "Expectancy", hit_rate_pct: "Sales with a gain", best_trade: "Best trade", worst_trade: "Worst trade",
  holding_seconds: "Holding time", psr: "Probability of skill (PSR)", dsr: "The same after all tries (DSR)", min_track_record: "Track record needed",
};

/** What a rank means: the figures of the score clock, each with its formula, and how often its author has tried. */
function drawTrust(found) {
  const { figures = [], trials, words, needs: wanted, sharpe_a_period_interval: interval, benchmark } = found;
  const value = (one) => (one.value === null ? one.needs ?? DASH : (UNITS[one.unit] ?? ((number_) => `${shownValue(number_)}${one.unit ? ` ${one.unit}` : ""}`))(one.value));
  const table = h("table", { id: "bot-figures" });
  const scroll = h("div", { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Figures of the score clock" }, table);
  new Table(table, { key: ({ name }) => name, caption: "Figures of the score clock", columns: [
    { label: "Figure", text: ({ name }) => FIGURES[name] ?? name.replaceAll("_", " ") },
    { label: "Value", num: true, text: value },
    { label: "How", class: "wide", text: ({ formula, source }) => [formula, source].filter(Boolean).join("; ") },
  ] }).update(figures);
  $("bot-trust").replaceChildren(h("h3", null, "How sure is it?"),
    h("p", null, guest(wanted && !words?.includes(wanted) ? [words, wanted].filter(Boolean).join(" ") : words)),
    trials ? h("p", { class: "hint" }, `${plural(trials.k, "try", "tries")} of this author (${number(trials.k_effective, 1)} really different): ${plural(trials.versions, "version")}, ${plural(trials.samples, "sample")}, ${plural(trials.repairs, "repair")} that reached a trial${trials.evolved ? `, ${plural(trials.evolved, "other child", "other children")} of arena evolve` : ""}. The benchmark is ${benchmark}.`) : "",
    interval ? h("p", { class: "hint" }, `Sharpe of one period: between ${number(interval[0], 3)} and ${number(interval[1], 3)} (95 %, stationary bootstrap).`) : "",
    scroll,
    h("p", { class: "hint" }, h("a", { href: "/learn#figures" }, "What these mean")));
}

/** Versions that were asked for in words: who asked what. The changes stand beside each version already. */
function drawLineage({ items }) {
  const asked = items.filter(({ words }) => words);
  if (asked.length === 0) return;
  $("bot-lineage").replaceChildren(h("h3", null, "Asked for in words"), h("ol", { class: "versions" }, asked.map((one) =>
    h("li", null, h("p", null, h("a", { href: path("bots", one.bot_id) }, guest(one.name)), one.asked_by ? [", asked by ", guest(one.asked_by)] : ""),
      h("blockquote", null, one.words),
      one.diff ? h("details", null, h("summary", null, "What changed"), h("div", { class: "code-scroll", tabindex: "0", role: "group", "aria-label": `Changes of ${one.name}` }, diffView(one.diff))) : ""))));
}

/** What the bot does on made-up markets costs a run: it is asked for when somebody wants to see it. */
function listenBehaviour() {
  if (season !== null) return;
  const button = h("button", { type: "button", click: async () => {
    button.disabled = true;
    button.textContent = "It is being tried …";
    try {
      const { claims, said, findings } = await get(`${url}/behaviour`);
      claimList($("bot-claims"), Object.keys(claims ?? {}).length > 0 ? claims : said);
      findingList($("bot-findings"), findings);
      button.hidden = true;
    } catch (error) {
      button.disabled = false;
      button.textContent = "Try it on made-up markets";
      failed(error);
    }
  } }, "Try it on made-up markets");
  $("bot-behaviour").replaceChildren(h("p", { class: "hint" }, "Trends, crashes, gaps and missing prices, made for what this bot claims to do."), button);
}

// -- proof

/** What a second run has shown, in words. */
function proofWords({ status, tick, compared, findings }) {
  const counts = Object.entries(compared ?? {}).map(([kind, count]) => plural(count, kind.replace(/s$/, ""), kind)).join(", ");
  return [`Run again up to tick ${whole(tick)}: ${status}.`, counts ? `Compared: ${counts}.` : "", ...(findings ?? [])].filter(Boolean).join(" ");
}

/** Follow long work to its end and tell how far it is. */
async function ended(job) {
  let seen = job;
  while (!["done", "failed", "cancelled"].includes(seen.status)) {
    const far = seen.status === "running" ? `, ${percent(seen.progress * 100, 0)} done` : ", it waits for its turn";
    $("bot-proof").textContent = `The bot is run again${far} …`;
    await new Promise((resolve) => { setTimeout(resolve, 400); });
    seen = await get(path("jobs", job.id));
  }
  return seen;
}

let proofAsked = false; // on this page

/** Show what the last proof has shown; one that is asked for meanwhile goes before it. */
async function drawStoredProof() {
  if (!current?.verified) return;
  const found = await get(of("/verify"));
  if (!proofAsked) $("bot-proof").replaceChildren(guest(proofWords(found)));
}

function listenProof() {
  $("bot-verify").addEventListener("click", async ({ target }) => {
    proofAsked = true;
    target.disabled = true;
    $("bot-proof").textContent = "The bot is run again …";
    try {
      const job = await ended(await write("POST", of("/verify")));
      $("bot-proof").replaceChildren(guest(job.status === "done" ? proofWords(job.result) : job.reason ?? `The proof was ${job.status}.`));
    } catch (error) {
      failed(error);
    } finally {
      target.disabled = false;
    }
  });
}

// -- what its owner may do

function listenActions() {
  const buttons = ["bot-pause", "bot-resume", "bot-retire"].map($);
  const act = (name, work) => $(name).addEventListener("click", async () => {
    buttons.forEach((button) => { button.disabled = true; });
    try {
      const bot = await work();
      if (bot) apply(bot);
      showProblem($("bot-problem"), null);
    } catch (error) {
      failed(error);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
      // The pressed button may be gone; the keyboard goes on with the one in its place.
      if ($(name).hidden) buttons.find((button) => !button.hidden)?.focus();
    }
  });
  act("bot-pause", () => write("POST", `${url}/pause`));
  act("bot-resume", () => write("POST", `${url}/resume`));
  act("bot-retire", async () => {
    const sure = await confirmed("Retire this bot?",
      "It stops trading for good and leaves the board. Its record is kept; only a changed source can come back.", "Retire");
    if (!sure) return null;
    await write("DELETE", url);
    return get(url);
  });
}

/** A new version in words, where the arena has a writer that revises. */
function offerRevision() {
  const form = $("revise-form");
  $("bot-revise").hidden = false;
  $("bot-revise").addEventListener("click", () => { form.hidden = !form.hidden; if (!form.hidden) $("revise-words").focus(); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const words = $("revise-words").value.trim();
    if (!words) return;
    try {
      const made = await write("POST", `${url}/revise`, { words });
      rememberSubmission(made.id ?? made.submission_id, words);
      location.assign(path("submissions", made.id ?? made.submission_id));
    } catch (error) {
      failed(error);
    }
  });
}

// -- start

const show = tabs($("bot-tabs"));
let snapshot = null;

async function load() {
  try {
    apply(await get(of("")));
    showProblem($("bot-problem"), null);
    if (!STOPPED.includes(current.status)) chart.extend(snapshot, current.equity);
    await Promise.all([trades.refresh(), orders.refresh(), logs.refresh()]);
    drawTrades();
  } catch (error) {
    if (!stopped(error)) failed(error);
  }
}

$("orders-rejected").addEventListener("change", () => orders.draw());
$("log-search").addEventListener("input", () => logs.draw());
$("log-level").addEventListener("change", () => logs.draw());
listenProof();
listenWhy();
listenBehaviour();
// Before anything is waited for: a click that comes earlier than the figures must do what it says.
if (season === null) {
  listenActions();
  offerRevision();
}
await load();
drawStoredProof().catch((error) => { if (error.status !== 404) failed(error); });
await chart.load(current, failed);
drawTrades();
optional("statistics", drawTrust);
optional("lineage", drawLineage);
if (season === null) {
  const reload = calm(load, GAP_MS);
  live.addEventListener("leaderboard", ({ detail }) => { snapshot = detail.as_of; reload(); });
  live.addEventListener("trade", ({ detail }) => { if (detail.bot_id === id) reload(); });
  live.addEventListener("tick", ({ detail }) => { chart.tick(detail); drawPositions(); });
  live.addEventListener("resync", async () => { await chart.load(current, failed); reload(); });
  if (!live.prices) get("/prices").then((now) => { takePrices(now); drawPositions(); }, () => {});
} else {
  get(inSeason("/prices", season)).then(({ prices: found }) => { lastPrices = found; drawPositions(); }, () => {});
}
if (isOwn(id)) rememberBot(id, { status: current?.status, rank: current?.rank, verified: current?.verified });
