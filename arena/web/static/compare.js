// Two to eight bots side by side, from a common start.

import { get } from "./api.js";
import { Curves, drawdowns, points } from "./charts.js";
import { $, botAddress, botLink, h, showProblem } from "./dom.js";
import { DASH, number, percent, plural, signedPercent, tone, when, whole } from "./format.js";
import { Table } from "./table.js";

const MAX = 8;
const POINTS = 2000;
const MIN_PAIRS = 10;
const chosen = () => [...$("compare-chosen").querySelectorAll("[data-bot]")].map(({ dataset }) => dataset.bot);

function go(ids) {
  location.assign(`/compare${ids.length ? `?bots=${ids.map(encodeURIComponent).join(",")}` : ""}`);
}

function listenChoice() {
  for (const chip of $("compare-chosen").children) {
    const id = chip.dataset.bot;
    chip.append(h("button", { type: "button", class: "remove", "aria-label": `Take ${chip.textContent} away`, click: () => go(chosen().filter((one) => one !== id)) }, "×"));
  }
  const add = $("compare-add");
  add.querySelectorAll("option").forEach((option) => { if (chosen().includes(option.value)) option.remove(); });
  add.disabled = chosen().length >= MAX;
  add.addEventListener("change", () => { if (add.value) go([...chosen(), add.value]); });
}

/** Returns of two curves between the equity rows that both have. */
function paired(a, b) {
  const other = new Map(b.map(({ time, value }) => [time, value]));
  const common = a.filter(({ time }) => other.has(time));
  return common.slice(1).map(({ time, value }, index) => {
    const before = common[index];
    return [value / before.value - 1, other.get(time) / other.get(before.time) - 1];
  });
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function correlation(pairs) {
  const [a, b] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)];
  const [ma, mb] = [mean(a), mean(b)];
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const spread = Math.sqrt(sum(a.map((x) => (x - ma) ** 2)) * sum(b.map((y) => (y - mb) ** 2)));
  return spread > 0 ? sum(pairs.map(([x, y]) => (x - ma) * (y - mb))) / spread : null;
}

/** Mean difference per equity row and its 95 % interval, in basis points. */
function difference(pairs) {
  const found = pairs.map(([x, y]) => (x - y) * 10_000);
  const middle = mean(found);
  const deviation = Math.sqrt(found.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (found.length - 1));
  const half = (1.96 * deviation) / Math.sqrt(found.length);
  return { middle, low: middle - half, high: middle + half };
}

function drawCorrelation(curves) {
  const cell = (a, b) => {
    if (a === b) return h("td", { class: "num" }, "1");
    const pairs = paired(a.line, b.line);
    const found = pairs.length >= MIN_PAIRS ? correlation(pairs) : null;
    return h("td", { class: "num", title: plural(pairs.length, "common return") }, found === null ? DASH : number(found));
  };
  $("compare-correlation").replaceChildren(
    h("thead", null, h("tr", null, h("td"), curves.map(({ bot }) => h("th", { scope: "col", class: "num", title: bot.name }, h("bdi", null, bot.name))))),
    h("tbody", null, curves.map((a) => h("tr", null, h("th", { scope: "row", title: a.bot.name }, h("bdi", null, a.bot.name)), curves.map((b) => cell(a, b))))));
}

function drawHeads(curves) {
  const pairs = curves.flatMap((a, index) => curves.slice(index + 1).map((b) => ({ a, b, key: `${a.bot.bot_id} ${b.bot.bot_id}`, returns: paired(a.line, b.line) })))
    .map((pair) => ({ ...pair, found: pair.returns.length >= MIN_PAIRS ? difference(pair.returns) : null }));
  const verdict = ({ found, a, b }) => (found === null ? `needs ${MIN_PAIRS} common equity rows` : found.low > 0 ? `${a.bot.name} ahead` : found.high < 0 ? `${b.bot.name} ahead` : "cannot be told apart");
  new Table($("compare-heads"), { key: ({ key }) => key, caption: "Head to head", columns: [
    { label: "Pair", class: "wide", text: ({ a, b }) => `${a.bot.name} – ${b.bot.name}` },
    { label: "Difference", num: true, text: ({ found }) => (found ? number(found.middle) : DASH) },
    { label: "95 % interval", num: true, text: ({ found }) => (found ? `${number(found.low)} to ${number(found.high)}` : DASH) },
    { label: "Says", class: "wide", text: verdict },
  ] }).update(pairs);
}

const FIGURES = [
  { label: "Bot", class: "name", text: ({ name, bot_id: id }) => JSON.stringify([id, name]), node: ({ name, bot_id: id }) => botLink(id, name) },
  ...[["Equity", "equity", number], ["Return", "return_pct", signedPercent], ["Excess", "excess_pct", signedPercent], ["Drawdown", "max_drawdown_pct", percent], ["Sharpe", "sharpe", number],
    ["Trades", "trades", whole], ["Rejected", "rejected", whole], ["Win rate", "win_rate_pct", percent], ["Turnover", "turnover", number], ["Exposure", "exposure_pct", percent], ["Fees", "fees", number]]
    .map(([label, field, write]) => ({ label, field, num: true, text: (bot) => write(bot[field]), value: (bot) => bot[field], tone: (bot) => (label === "Return" || label === "Excess" ? tone(bot[field]) : "") })),
];

/** What is drawn, as a file: one row a time, one column a bot. */
function exported(curves) {
  const times = [...new Set(curves.flatMap(({ line }) => line.map(({ time }) => time)))].sort((a, b) => a - b);
  const defused = (name) => `"${(/^\s*[=+\-@]/.test(name) ? `'${name}` : name).replaceAll('"', '""')}"`;
  const values = curves.map(({ line }) => new Map(line.map(({ time, value }) => [time, value])));
  const rows = times.map((at) => [new Date(at * 1000).toISOString(), ...values.map((of) => of.get(at) ?? "")].join(","));
  return [["time", ...curves.map(({ bot }) => defused(bot.name))].join(","), ...rows].join("\n");
}

async function start() {
  listenChoice();
  const ids = chosen();
  if (ids.length < 2) return;
  try {
    const [bots, { items }] = await Promise.all([
      Promise.all(ids.map((id) => get(`/bots/${encodeURIComponent(id)}`))),
      get(`/curves?${ids.map((id) => `bot=${encodeURIComponent(id)}`).join("&")}&limit=${Math.min(POINTS, Math.floor(20_000 / ids.length))}`),
    ]);
    const shown = FIGURES.filter(({ field }) => field === undefined || bots.some((bot) => bot[field] !== null && bot[field] !== undefined));
    new Table($("compare-table"), { columns: shown, key: (bot) => bot.bot_id, caption: "Figures", first: 0 }).update(bots);
    const all = bots.map((bot, slot) => {
      const curve = items.find((one) => one.bot_id === bot.bot_id);
      return { bot, slot, line: curve ? points(curve.times, curve.equity) : [] };
    }).filter(({ line }) => line.length > 0);
    if (all.length === 0) return;
    // A common start: the youngest bot's first equity row.
    const from = Math.max(...all.map(({ line }) => line[0].time));
    const curves = all.map((one) => ({ ...one, line: one.line.filter(({ time }) => time >= from) })).filter(({ line }) => line.length > 0);
    const entry = ({ bot, slot }, line) => ({ id: bot.bot_id, name: bot.name, href: botAddress(bot.bot_id), slot, points: line });
    $("compare-span").textContent = `since ${when(from)}`;
    await new Curves($("compare-curves"), "Return from a common start", signedPercent).update(
      curves.map((one) => entry(one, one.line.map(({ time, value }) => ({ time, value: (value / one.line[0].value - 1) * 100 })))), 0);
    await new Curves($("compare-drawdown"), "Drawdown from a common start", percent).update(curves.map((one) => entry(one, drawdowns(one.line))));
    drawCorrelation(curves);
    drawHeads(curves);
    $("compare-export").hidden = false;
    $("compare-export").addEventListener("click", () => {
      const address = URL.createObjectURL(new Blob([exported(curves)], { type: "text/csv" }));
      h("a", { href: address, download: "comparison.csv" }).click();
      URL.revokeObjectURL(address);
    });
  } catch (error) {
    showProblem($("compare-problem"), error);
  }
}

start();
