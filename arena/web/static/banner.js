// The season's strip: which market, which rules, who writes code, what isolates the bots; and the prices.

import { $, badge, h, pairs, time } from "./dom.js";
import { DASH, duration, number, plural, price, when, whole } from "./format.js";
import { live } from "./live.js";

/** Seconds between two ticks, a fraction of a few seconds as it is. */
const beat = (seconds) => (seconds < 10 ? `${Number(seconds.toPrecision(3))} s` : duration(seconds));

// Where a bot is not locked in by every layer, players should know; why is for the operator.
const PARTLY = "Bots are not locked in by every layer here; the operator's log says which one is missing.";
// Who writes the code stands among the facts.
const WRITER_NOTE = /^(No model is configured|Bots are written by the model)/;
const WRITERS = { template: "rule-based templates, no model" };

const withNote = (text, note) => h("span", null, text, note ? h("small", null, note) : null);

function market(season) {
  return season ? withNote(season.feed.replaceAll(",", ", "), season.feed_note) : null;
}

function writer(generator) {
  if (!generator) return null;
  return generator.kind === "model" ? withNote(generator.model ?? "a model", "writes the bots that people describe")
    : withNote(WRITERS[generator.kind] ?? generator.kind, "writes the bots that people describe");
}

/** The seed of made-up prices: shown as its hash while the season is open, so that nobody can choose it afterwards. */
function chance(season) {
  if (!season?.seed_sha256 && !season?.predictable) return null;
  const said = season.predictable ? "predictable: the seed was set, so that these prices can be known beforehand"
    : season.seed ? `seed ${season.seed}` : "hash of the seed, which is told when the season is closed";
  return h("span", null, season.seed_sha256 ? h("code", { title: season.seed_sha256 }, `${season.seed_sha256.slice(0, 16)}…`) : "", h("small", null, said));
}

const cost = (bps, name) => (bps === 0 ? `no ${name}` : `${name} ${number(bps, Number.isInteger(bps) ? 0 : 2)} bps`);

function rules(season) {
  if (!season) return null;
  const costs = `${cost(season.fee_bps, "fees")}, ${cost(season.slippage_bps, "slippage")}`;
  return withNote(`start ${number(season.starting_cash)}`, `a tick every ${beat(season.interval)}; ${costs}`);
}

/** The season in one line, as the server writes it too. */
function line(season) {
  const fees = season.fee_bps === 0 ? "no fees" : `fees ${season.fee_bps} bps`;
  return `${season.feed.replaceAll(",", ", ")} market, a tick every ${beat(season.interval)}, start ${whole(season.starting_cash)}, ${fees}, isolation level ${season.isolation}`;
}

function population(bots) {
  if (!bots) return null;
  const states = Object.entries(bots).filter(([, count]) => typeof count === "number" && count > 0);
  const active = bots.active ?? 0;
  const others = states.filter(([name]) => name !== "active" && name !== "total").map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`);
  return withNote(plural(active, "active bot"), others.join(", "));
}

function hosts(found) {
  const each = found.map((host) => `${host.name}: ${plural(host.bots, "bot")}${host.draining ? ", draining" : ""}, ${Math.round(host.tick_seconds * 1000)} ms a tick`);
  return withNote(plural(found.length, "host"), each.join("; "));
}

export function drawBanner() {
  const { status } = live;
  if (!status) return;
  const { season, isolation } = status;
  drawSeason(season, status.state, [
    ["Market", market(season), { "data-fact": "feed" }],
    ["Code writer", writer(status.generator), { "data-fact": "writer" }],
    ["Isolation", isolation ? withNote(`level ${isolation.level}`, plural(isolation.layers?.length ?? 0, "layer")) : null, { "data-fact": "isolation" }],
    ["Rules", rules(season), { "data-fact": "rules" }],
    ["Bots", population(status.bots), { "data-fact": "bots" }],
    ...(status.hosts?.length ? [["Hosts", hosts(status.hosts), { "data-fact": "hosts" }]] : []),
    ["Opened", season?.opened_at ? time(season.opened_at, when(season.opened_at)) : null, { "data-fact": "opened" }],
    ["Seed", chance(season), { "data-fact": "seed" }],
  ]);
  // The note on the feed already stands beside the feed; what the sandbox says of this machine is for who runs it.
  const known = new Set([season?.feed_note, ...(isolation?.notes ?? [])]);
  drawNotes([...(status.notes ?? []).filter((note) => !known.has(note) && !WRITER_NOTE.test(note)), ...(isolation && isolation.level !== "A" ? [PARTLY] : [])]);
  $("isolation-details").hidden = !isolation?.layers?.length;
  $("isolation-layers").replaceChildren(...(isolation?.layers ?? []).map((layer) => h("li", null, String(layer))));
}

function drawSeason(season, state, facts) {
  $("season-title").textContent = season ? `Season ${season.number}` : "No season is open yet";
  $("season-line").textContent = season ? line(season) : "";
  badge($("arena-state"), state);
  badge($("season-predictable"), season?.predictable ? "predictable" : "");
  pairs($("season-facts"), facts);
}

function drawNotes(notes) {
  $("season-notes").replaceChildren(...notes.map((note) => h("li", null, note)));
  $("season-notes").hidden = notes.length === 0;
}

const direction = (now, before) => (before === undefined || now === before ? "" : now > before ? "up" : "down");

export function drawPrices({ prices, previous, status } = live) {
  if (!$("prices")) return;
  const symbols = [...new Set([...(status?.season?.symbols ?? []), ...Object.keys(prices ?? {})])];
  $("prices").hidden = !prices;
  $("prices-empty").hidden = Boolean(prices);
  if (!prices) return;
  $("prices").replaceChildren(...symbols.map((symbol) => {
    // Only the arrow takes colour: prices move every second, and a page of blinking numbers is not calm.
    const tone = direction(prices[symbol], previous?.[symbol]);
    const { state, feed } = status?.feeds?.symbols?.[symbol] ?? {};
    const old = state && state !== "fresh" ? h("small", { class: "old" }, state) : null;
    return h("li", { "data-symbol": symbol, title: feed ? `from ${feed}` : null }, h("span", { class: "symbol" }, symbol, old),
      h("span", { class: "num" }, prices[symbol] === undefined ? DASH : price(prices[symbol])),
      h("span", { class: `arrow ${tone}`, "aria-hidden": "true" }));
  }));
}
