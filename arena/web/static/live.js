// What is happening now: one event stream for the whole page, the last status and the last prices.
//
// Events on `live`: tick, trade, leaderboard, submission (detail: the server's data),
// status (after it was fetched again), resync (the stream was away: what you show may have gaps).

import { get, stopped } from "./api.js";
import { calm } from "./dom.js";

export const live = new EventTarget();
live.status = null;
live.tick = null;
live.prices = null;
live.previous = null;
live.connection = "connecting";

const EVENTS = ["tick", "trade", "leaderboard", "submission"];
const RETRY_MS = 10_000;
let source = null;
let retry = null;
let wasAway = false;

const emit = (name, detail) => live.dispatchEvent(new CustomEvent(name, { detail }));

function setConnection(state) {
  live.connection = state;
  emit("connection", state);
}

export function takePrices({ time, tick, n, prices }) {
  if (!prices || Object.keys(prices).length === 0) return;
  // A fetched answer may be older than a tick that the stream has brought meanwhile.
  const number = n ?? tick;
  if (live.tick && typeof number === "number" && number < live.tick.n && time <= live.tick.time) return;
  live.previous = live.prices;
  live.prices = prices;
  live.tick = { n: number, time };
}

/** What nobody announces (a recovery that ends, a bot that is killed) is seen by asking again, soon while nothing is settled. */
const SETTLED = ["running", "finished"];
const AGAIN_MS = 3000;
const SETTLED_MS = 20_000;
let again = null;

export const refreshStatus = calm(async () => {
  clearTimeout(again);
  const before = live.status;
  try {
    live.status = await get("/status");
    emit("status", live.status);
    if (before && before.season?.id !== live.status.season?.id) emit("resync");
  } catch (error) {
    if (!stopped(error)) emit("status-problem", error);
  }
  clearTimeout(again);
  if (live.connection !== "resting") again = setTimeout(refreshStatus, SETTLED.includes(live.status?.state) ? SETTLED_MS : AGAIN_MS);
}, 2000);

function receive(event) {
  let data;
  try {
    data = JSON.parse(event.data);
  } catch {
    return;
  }
  if (event.type === "tick") {
    takePrices(data);
    // A tick is the proof that the clock runs: a status that says otherwise is old.
    if (live.status && live.status.state !== "running") refreshStatus();
  }
  emit(event.type, data);
}

function connect() {
  clearTimeout(retry);
  source = new EventSource("/api/v1/stream");
  for (const name of EVENTS) source.addEventListener(name, receive);
  source.addEventListener("status", refreshStatus);
  source.addEventListener("open", () => {
    setConnection("live");
    if (wasAway) {
      // The server may be another one by now, whose ticks begin anew.
      live.tick = null;
      refreshStatus();
      emit("resync");
    }
    wasAway = false;
  });
  source.addEventListener("error", () => {
    wasAway = true;
    setConnection("away");
    // EventSource reconnects by itself except after an answer that is no stream.
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_MS);
  });
}

/** Hidden tabs give their connection back: browsers allow only six per host over HTTP/1.1. */
function followVisibility() {
  if (document.hidden) {
    clearTimeout(retry);
    clearTimeout(again);
    source?.close();
    wasAway = true;
    setConnection("resting");
  } else if (live.connection === "resting") {
    connect();
  }
}

export function start() {
  connect();
  refreshStatus();
  document.addEventListener("visibilitychange", followVisibility);
}
