// One bot: how it does, what it holds and did, what it says, and its source.

import { confirmed, get, inSeason, path, stopped, write } from "./api.js";
import { LineChart } from "./chart.js";
import { codeView } from "./code.js";
import { $, badge, calm, guest, h, pairs, showMissing, showProblem, time } from "./dom.js";
import { warningsOf } from "./forms.js";
import { DASH, number, percent, plural, price, provenance, signed, signedPercent, size, tone, when, whole } from "./format.js";
import { live, takePrices } from "./live.js";
import { Paged } from "./paged.js";
import { Table } from "./table.js";

const POINTS = 2000;
const GAP_MS = 4000;
const PAUSED = ["paused"];
const OVER = ["retired", "refused", "refused_by_upgrade"];
const STOPPED = ["quarantined", ...OVER];

const moment = (item) => time(item.time, when(item.time));

const TRADES = [
  { label: "Time", text: (trade) => when(trade.time), node: moment },
  { label: "Side", text: (trade) => trade.side, tone: (trade) => trade.side },
  { label: "Size", num: true, text: (trade) => size(trade.size) },
  { label: "Symbol", text: (trade) => trade.symbol },
  { label: "Price", num: true, text: (trade) => price(trade.price) },
  {
    label: "Realised", num: true, text: (trade) => (trade.side === "SELL" ? signed(trade.realized_pnl) : ""),
    tone: (trade) => (trade.side === "SELL" ? tone(trade.realized_pnl) : ""),
  },
  { label: "Cash after", num: true, text: (trade) => number(trade.cash_after) },
  { label: "Holds after", num: true, text: (trade) => size(trade.position_after) },
  { label: "Fee", num: true, text: (trade) => number(trade.fee) },
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

/** What is held, at the prices that `prices()` gives: those of now, or a past season's last ones. */
const positionColumns = (prices) => [
  { label: "Symbol", text: ({ symbol }) => symbol },
  { label: "Size", num: true, text: ({ held }) => size(held) },
  { label: "Price", num: true, text: ({ symbol }) => price(prices()?.[symbol]) },
  { label: "Value", num: true, text: ({ symbol, held }) => number(prices()?.[symbol] * held) },
];

/** A bot in a season of the past: as it ended, with nothing to change. */
async function showPastBot(url, season, { trades, orders, logs, curve, signal, failed }) {
  for (const link of document.querySelectorAll(".crumbs a")) { link.href = `#/season/${season}`; link.textContent = `Season ${season}`; }
  listenProof(url, season, signal, failed);
  loadSource(url, season, signal);
  await Promise.all([curve.load(failed), trades.refresh(), orders.refresh(), logs.refresh()]);
  if (!signal.aborted) curve.draw();
}

const tile = (label, shown, toned) => [label, h("span", { class: "num", "data-tone": toned ?? "" }, shown), { "data-metric": label }];

function drawMetrics(bot) {
  pairs($("bot-metrics"), [
    tile("Rank", whole(bot.rank)),
    tile("Equity", number(bot.equity)),
    tile("Return", signedPercent(bot.return_pct), tone(bot.return_pct)),
    tile("Realised", signed(bot.realized_pnl), tone(bot.realized_pnl)),
    tile("Unrealised", signed(bot.unrealized_pnl), tone(bot.unrealized_pnl)),
    tile("Cash", number(bot.cash)),
    tile("Max drawdown", percent(bot.max_drawdown_pct)),
    tile("Sharpe", number(bot.sharpe)),
    tile("Trades", whole(bot.trades)),
    tile("Rejected", whole(bot.rejected)),
    tile("Win rate", percent(bot.win_rate_pct, 1)),
    tile("Turnover", number(bot.turnover)),
    tile("Exposure", percent(bot.exposure_pct, 1)),
    tile("Fees", number(bot.fees)),
    tile("Errors", whole(bot.errors)),
  ]);
}

function drawActions(bot, season) {
  badge($("bot-status"), bot.status);
  // What is over cannot be changed.
  if (season !== null) return;
  $("bot-pause").hidden = PAUSED.includes(bot.status) || STOPPED.includes(bot.status);
  $("bot-resume").hidden = !PAUSED.includes(bot.status);
  $("bot-retire").hidden = OVER.includes(bot.status);
}

function drawWords(bot) {
  $("bot-name").replaceChildren(guest(bot.name));
  document.title = `${bot.name} – Arena`;
  $("bot-meta").replaceChildren(guest(provenance(bot)));
  const warnings = [...new Set([...(bot.warnings ?? []), ...warningsOf(bot.bot_id)])];
  const notices = [["note", bot.note], ["reason", bot.reason], ["last-error", bot.last_error === bot.reason ? null : bot.last_error],
    ...warnings.map((text) => ["warning", text])].filter(([, text]) => text);
  $("bot-notices").replaceChildren(...notices.map(([kind, text]) => h("p", { class: "notice", "data-notice": kind }, guest(text))));
  $("bot-origin").hidden = !bot.prompt;
  $("bot-prompt").textContent = bot.prompt ?? "";
  $("bot-model").replaceChildren(`Model: ${bot.model ?? "none"}. `,
    bot.submission_id ? h("a", { href: `#${path("submission", bot.submission_id)}` }, "All attempts") : "");
  pairs($("bot-facts"), [
    ["Symbols", bot.symbols?.join(", ")],
    ["Version", bot.version],
    ["Admitted", bot.admitted_at ? h("span", null, moment({ time: bot.admitted_at }), `, tick ${whole(bot.admitted_tick)}`) : null],
    // Where the folder lies on the server is nobody's business.
    ["File", bot.path?.split("/").at(-1)],
    ["Proved", bot.verified ? `${bot.verified}, up to tick ${whole(bot.verified_tick)}` : "not yet"],
    ["Source hash", bot.source_hash ? h("code", { title: bot.source_hash }, bot.source_hash.slice(0, 16)) : null],
  ]);
}

function lists(url, season, signal, failed) {
  const make = (name, columns, limit, caption) => new Paged({
    url: inSeason(`${url}/${name}?limit=${limit}`, season), signal, failed, older: $(`bot-${name}-older`),
    table: new Table($(`bot-${name}`), { columns, key: (item) => item.id, empty: $(`bot-${name}-empty`), caption }),
  });
  return [
    make("trades", TRADES, 100, "Trades, newest first"),
    make("orders", ORDERS, 100, "Orders, newest first"),
    make("logs", LOGS, 200, "Log, newest first"),
  ];
}

/** What a second run has shown, in words. */
function proofWords({ status, tick, compared, findings }) {
  const counts = Object.entries(compared ?? {}).map(([kind, count]) => plural(count, kind.replace(/s$/, ""), kind)).join(", ");
  return [`Run again up to tick ${whole(tick)}: ${status}.`, counts ? `Compared: ${counts}.` : "", ...(findings ?? [])].filter(Boolean).join(" ");
}

/** Follow long work to its end and tell how far it is. */
async function ended(job, signal) {
  let seen = job;
  while (!["done", "failed", "cancelled"].includes(seen.status)) {
    const far = seen.status === "running" ? `, ${percent(seen.progress * 100, 0)} done` : ", it waits for its turn";
    if ($("bot-proof")) $("bot-proof").textContent = `The bot is run again${far} …`;
    await new Promise((resolve) => { setTimeout(resolve, 400); });
    seen = await get(path("jobs", job.id), signal);
  }
  return seen;
}

function listenProof(url, season, signal, failed) {
  $("bot-bundle").href = `/api/v1${inSeason(`${url}/bundle`, season)}`;
  $("bot-verify").addEventListener("click", async ({ target }) => {
    target.disabled = true;
    $("bot-proof").textContent = "The bot is run again …";
    try {
      const job = await ended(await write("POST", inSeason(`${url}/verify`, season)), signal);
      const words = job.status === "done" ? proofWords(job.result) : job.reason ?? `The proof was ${job.status}.`;
      $("bot-proof").replaceChildren(guest(words));
    } catch (error) {
      if (!stopped(error)) failed(error);
    } finally {
      target.disabled = false;
    }
  }, { signal });
}

async function loadSource(url, season, signal) {
  const host = $("bot-source");
  try {
    const source = await get(inSeason(`${url}/source`, season), signal);
    host.replaceChildren(codeView(source));
  } catch (error) {
    if (!stopped(error)) showProblem(host, error);
  }
}

/** The curve is fetched once; later snapshots are added as they come with the bot's own state. */
class Curve {
  constructor(url, season, signal) {
    this.url = url;
    this.season = season;
    this.signal = signal;
    this.points = [];
    this.chart = new LineChart($("bot-equity"), { label: "Equity", empty: "The curve appears with the first equity snapshot.", signal, legend: false });
  }

  async load(failed) {
    try {
      this.points = (await get(inSeason(`${this.url}/equity?limit=${POINTS}`, this.season), this.signal)).items;
    } catch (error) {
      if (!stopped(error)) failed(error);
    }
  }

  extend(at, equity) {
    const last = this.points.at(-1);
    if (typeof at === "number" && typeof equity === "number" && (!last || at > last.time)) this.points.push({ time: at, equity });
  }

  draw() {
    this.chart.update([{ id: "equity", name: "Equity", slot: 0, points: this.points }],
      this.season === null ? live.status?.season?.starting_cash ?? null : null);
  }
}

function listenActions(url, apply, failed, signal) {
  const buttons = ["bot-pause", "bot-resume", "bot-retire"].map($);
  const act = (id, work) => $(id).addEventListener("click", async () => {
    buttons.forEach((button) => { button.disabled = true; });
    try {
      const bot = await work();
      if (signal.aborted) return;
      if (bot) apply(bot);
      showProblem($("bot-problem"), null);
    } catch (error) {
      if (!signal.aborted) failed(error);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
      // The pressed button may be gone; the keyboard goes on with the one in its place.
      if ($(id)?.hidden) buttons.find((button) => !button.hidden)?.focus();
    }
  }, { signal });
  act("bot-pause", () => write("POST", `${url}/pause`));
  act("bot-resume", () => write("POST", `${url}/resume`));
  act("bot-retire", async () => {
    const sure = await confirmed("Retire this bot?",
      "It stops trading for good and leaves the board. Its record is kept; only a changed source can come back.", "Retire");
    if (!sure) return null;
    await write("DELETE", url);
    return get(url, signal);
  });
}

export async function showBot({ id, season, signal }) {
  const url = path("bots", id);
  const read = () => get(inSeason(url, season), signal);
  const failed = (error) => showProblem($("bot-problem"), error);
  const positions = new Table($("bot-positions"), { columns: positionColumns(() => (season === null ? live.prices : lastPrices)), key: ({ symbol }) => symbol, empty: $("bot-positions-empty"), caption: "Positions" });
  const curve = new Curve(url, season, signal);
  let current = null;
  let lastPrices = null;

  const drawPositions = () => positions.update(Object.entries(current?.positions ?? {}).map(([symbol, held]) => ({ symbol, held })));
  const apply = (bot) => {
    current = bot;
    drawWords(bot);
    drawActions(bot, season);
    drawMetrics(bot);
    drawPositions();
  };
  const [trades, orders, logs] = lists(url, season, signal, failed);
  const load = async (asOf) => {
    try {
      apply(await read());
      showProblem($("bot-problem"), null);
      curve.extend(asOf, current.equity);
      curve.draw();
      await Promise.all([trades.refresh(), orders.refresh(), logs.refresh()]);
    } catch (error) {
      if (!stopped(error)) failed(error);
    }
  };

  try {
    apply(await read());
  } catch (error) {
    if (error.status === 404) return showMissing("There is no such bot", error.message);
    if (stopped(error)) return undefined;
    failed(error);
  }

  if (season !== null) {
    get(inSeason("/prices", season), signal).then(({ prices }) => { lastPrices = prices; drawPositions(); }, () => {});
    return showPastBot(url, season, { trades, orders, logs, curve, signal, failed });
  }
  let snapshot = null;
  const reload = calm(() => load(snapshot), GAP_MS, signal);
  live.addEventListener("leaderboard", ({ detail }) => { snapshot = detail.as_of; reload(); }, { signal });
  live.addEventListener("trade", ({ detail }) => { if (detail.bot_id === id) reload(); }, { signal });
  live.addEventListener("tick", drawPositions, { signal });
  live.addEventListener("status", () => curve.draw(), { signal });
  live.addEventListener("resync", async () => { loadSource(url, null, signal); await curve.load(failed); reload(); }, { signal });
  listenActions(url, apply, failed, signal);
  listenProof(url, null, signal, failed);

  loadSource(url, null, signal);
  if (!live.prices) get("/prices", signal).then((now) => { takePrices(now); drawPositions(); }, () => {});
  await curve.load(() => {});
  curve.draw();
  reload();
  return undefined;
}
