// The banner: which season, which market, who writes code, what isolates the bots; and the prices.

import { $, badge, h, pairs, time } from "./dom.js";
import { DASH, duration, number, plural, price, when } from "./format.js";
import { live } from "./live.js";

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

const cost = (bps, name) => (bps === 0 ? `no ${name}` : `${name} ${number(bps, Number.isInteger(bps) ? 0 : 2)} bps`);

function rules(season) {
  if (!season) return null;
  const costs = `${cost(season.fee_bps, "fees")}, ${cost(season.slippage_bps, "slippage")}`;
  return withNote(`start ${number(season.starting_cash)}`, `a tick every ${duration(season.interval)}; ${costs}`);
}

function population(bots) {
  if (!bots) return null;
  const states = Object.entries(bots).filter(([, count]) => typeof count === "number" && count > 0);
  const active = bots.active ?? 0;
  const others = states.filter(([name]) => name !== "active" && name !== "total").map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`);
  return withNote(plural(active, "active bot"), others.join(", "));
}

export function drawBanner() {
  const { status } = live;
  if (!status) return;
  const { season, isolation } = status;
  $("season-title").textContent = season ? `Season ${season.number}` : "No season is open yet";
  badge($("arena-state"), status.state);
  pairs($("season-facts"), [
    ["Market", market(season), { "data-fact": "feed" }],
    ["Code writer", writer(status.generator), { "data-fact": "writer" }],
    ["Isolation", isolation ? withNote(`level ${isolation.level}`, plural(isolation.layers?.length ?? 0, "layer")) : null, { "data-fact": "isolation" }],
    ["Rules", rules(season), { "data-fact": "rules" }],
    ["Bots", population(status.bots), { "data-fact": "bots" }],
    ["Opened", season?.opened_at ? time(season.opened_at, when(season.opened_at)) : null, { "data-fact": "opened" }],
  ]);
  // The note on the feed already stands beside the feed.
  const notes = (status.notes ?? []).filter((note) => note !== season?.feed_note);
  $("season-notes").replaceChildren(...notes.map((note) => h("li", null, note)));
  $("season-notes").hidden = notes.length === 0;
  const layers = [...(isolation?.layers ?? []), ...(isolation?.notes ?? [])];
  $("isolation-details").hidden = layers.length === 0;
  $("isolation-layers").replaceChildren(...layers.map((layer) => h("li", null, String(layer))));
}

const direction = (now, before) => (before === undefined || now === before ? "" : now > before ? "up" : "down");

export function drawPrices() {
  const { prices, previous, status } = live;
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
