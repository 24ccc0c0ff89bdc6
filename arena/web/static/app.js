// The page: one route at a time, each in its own copy of a template, stopped when left.
//
//   #/                    board
//   #/bot/ID              bot
//   #/submission/ID       submission
//   #/season/N            board of a season of the past
//   #/season/N/bot/ID     bot in a season of the past

import { $, showMissing, time } from "./dom.js";
import { clock, whole } from "./format.js";
import { live, start } from "./live.js";
import { showBoard } from "./board.js";
import { showBot } from "./bot.js";
import { showSubmission } from "./submission.js";

const ROUTES = [
  [/^#?\/?(?:season\/(?<season>\d{1,9})\/?)?$/, "board-view", "Arena", showBoard],
  [/^#\/(?:season\/(?<season>\d{1,9})\/)?bot\/(?<id>[^/]+)$/, "bot-view", "Bot – Arena", showBot],
  [/^#\/submission\/(?<id>[^/]+)$/, "submission-view", "Submission – Arena", showSubmission],
];
const STATES = {
  starting: "Starting", recovering: "Recovering", waiting: "Waiting for the market", stopped: "Stopped",
  finished: "Season over", failed: "The clock has failed",
};
const CONNECTION = { connecting: "Connecting", live: "Live", away: "Reconnecting…", resting: "Resting" };

let leave = new AbortController();

function route() {
  for (const [pattern, template, title, show] of ROUTES) {
    const match = pattern.exec(location.hash);
    if (match) {
      const { id, season } = match.groups;
      return { template, title, show, id: id === undefined ? null : unescaped(id), season: season === undefined ? null : Number(season) };
    }
  }
  return null;
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function open() {
  leave.abort();
  leave = new AbortController();
  const found = route();
  if (!found) {
    showMissing("There is no such page");
    return;
  }
  document.title = found.title;
  $("main").replaceChildren($(found.template).content.cloneNode(true));
  $("main").setAttribute("data-view", found.template);
  found.show({ id: found.id, season: found.season, signal: leave.signal });
}

/** After a move, reading starts at the new page's heading; the first page leaves focus alone. */
function move() {
  open();
  window.scrollTo(0, 0);
  $("main").querySelector("h1")?.focus({ preventScroll: true });
}

function drawConnection() {
  const stopped = live.connection === "live" && live.status && live.status.state !== "running";
  $("live").setAttribute("data-state", stopped ? live.status.state : live.connection);
  $("live-text").textContent = stopped ? (STATES[live.status.state] ?? live.status.state) : CONNECTION[live.connection];
}

function drawTick() {
  if (!live.tick) return;
  const { n, time: at } = live.tick;
  $("live-tick").replaceChildren(typeof n === "number" ? `tick ${whole(n)}, ` : "", time(at, clock(at)));
}

// A link to "#main" would be taken for a route.
$("skip-link").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
live.addEventListener("connection", drawConnection);
live.addEventListener("status", ({ detail }) => {
  if (detail.tick && !live.tick) live.tick = detail.tick;
  drawConnection();
  drawTick();
});
live.addEventListener("status-problem", () => { if (live.connection !== "resting") $("live-text").textContent = "Server not reached"; });
live.addEventListener("tick", drawTick);
$("zone").textContent = `Times are those of ${Intl.DateTimeFormat().resolvedOptions().timeZone || "your computer"}.`;
window.addEventListener("hashchange", move);
open();
start();
