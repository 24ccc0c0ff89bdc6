// What is live: one stream of events for all tabs of this browser, and the arena's status.
//
// The tab that holds the lock "arena-stream" reads the stream and passes events on; when it is closed or hidden,
// another visible tab takes the lock. Without locks (plain http on another machine) each tab reads for itself.

import { get, stopped } from "./api.js";
import { calm } from "./dom.js";

export const live = new EventTarget();
live.status = null;
live.tick = null;
live.prices = null;
live.previous = null;
live.connection = "connecting";

const EVENTS = ["tick", "trade", "leaderboard", "submission", "job"];
const RETRY_MS = 10_000;
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("arena-stream") : null;
let source = null;
let retry = null;
let wasAway = false;
let release = null;
let waiting = null;

const emit = (name, detail) => live.dispatchEvent(new CustomEvent(name, { detail }));

function setConnection(state) {
  if (live.connection === state) return;
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

function receive(name, data) {
  if (name === "status") {
    refreshStatus();
    return;
  }
  if (name === "connection") {
    follow(data);
    return;
  }
  if (name === "tick") {
    takePrices(data);
    // A tick is the proof that the clock runs: a status that says otherwise is old.
    if (live.status && live.status.state !== "running") refreshStatus();
    if (live.connection === "connecting") setConnection("live");
  }
  emit(name, data);
}

/** The stream has come or gone; after a gap everything is read again, since the server may be another one by now. */
function follow(state) {
  setConnection(state);
  if (state === "away") wasAway = true;
  if (state === "live" && wasAway) {
    wasAway = false;
    live.tick = null;
    refreshStatus();
    emit("resync");
  }
}

function pass(name, data) {
  receive(name, data);
  channel?.postMessage({ name, data });
}

function connect() {
  clearTimeout(retry);
  source = new EventSource("/api/v1/stream");
  for (const name of EVENTS) {
    source.addEventListener(name, (event) => {
      try {
        pass(name, JSON.parse(event.data));
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
      }
    });
  }
  source.addEventListener("status", () => pass("status", null));
  source.addEventListener("open", () => pass("connection", "live"));
  source.addEventListener("error", () => {
    pass("connection", "away");
    // EventSource reconnects by itself except after an answer that is no stream.
    if (source?.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_MS);
  });
}

function join() {
  if (!navigator.locks || !channel) {
    connect();
    return;
  }
  waiting = new AbortController();
  navigator.locks.request("arena-stream", { signal: waiting.signal }, () => new Promise((resolve) => {
    release = resolve;
    connect();
  })).catch((error) => { if (error.name !== "AbortError") throw error; });
}

function leave() {
  clearTimeout(retry);
  clearTimeout(again);
  waiting?.abort();
  source?.close();
  source = null;
  release?.();
  release = null;
}

/** Hidden tabs give the stream back; a tab that is shown again reads anew what it has missed. */
function followVisibility() {
  if (document.hidden) {
    leave();
    wasAway = true;
    setConnection("resting");
  } else if (live.connection === "resting") {
    setConnection("connecting");
    wasAway = false;
    join();
    live.tick = null;
    refreshStatus();
    emit("resync");
  }
}

export function start() {
  if (channel) channel.addEventListener("message", ({ data }) => { if (!document.hidden && source === null) receive(data.name, data.data); });
  if (document.hidden) live.connection = "resting";
  else join();
  refreshStatus();
  document.addEventListener("visibilitychange", followVisibility);
  // A page that is left keeps no place in the line.
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", ({ persisted }) => { if (persisted) { live.connection = "resting"; followVisibility(); } });
}
