// What every page has: the connection, the season's strip, the theme, the bell, and times in the reader's zone.

import { drawBanner } from "./banner.js";
import { startBell } from "./bell.js";
import { $, h, time } from "./dom.js";
import { clock, when, whole } from "./format.js";
import { live, start } from "./live.js";
import { memory } from "./memory.js";

const STATES = {
  starting: "Starting", recovering: "Recovering", waiting: "Waiting for the market", stopped: "Stopped",
  finished: "Season over", failed: "The clock has failed",
};
const CONNECTION = { connecting: "Connecting", live: "Live", away: "Reconnecting…", resting: "Resting" };

/** Addresses of before, when the page had one address and the rest stood behind a "#". */
function redirectOldLinks() {
  const found = /^#\/(?:season\/(?<season>\d{1,9})\/?)?(?:(?<kind>bot|submission)\/(?<id>[^/]+))?$/.exec(location.hash);
  if (!found || location.pathname !== "/" || location.hash === "#/") return;
  const { season, kind, id } = found.groups;
  if (kind === "bot") location.replace(`/bots/${id}${season ? `?season=${season}` : ""}`);
  else if (kind === "submission") location.replace(`/submissions/${id}`);
  else if (season) location.replace(`/seasons/${season}`);
}

function drawConnection() {
  const stopped = live.connection === "live" && live.status && live.status.state !== "running";
  $("live").setAttribute("data-state", stopped ? live.status.state : live.connection);
  $("live-text").textContent = stopped ? (STATES[live.status.state] ?? live.status.state) : CONNECTION[live.connection];
}

function drawTick() {
  if (!live.tick || typeof live.tick.n !== "number" || live.tick.n < 0) return;
  const { n, time: at } = live.tick;
  $("live-tick").replaceChildren(`tick ${whole(n)}`, h("span", { class: "clock" }, ", ", time(at, clock(at))));
}

function listenTheme() {
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    memory.write("theme", root.dataset.theme);
    document.dispatchEvent(new Event("theme"));
  });
}

/** Times that the server wrote in UTC, as the reader's clock shows them; UTC stays one hover away. */
function localTimes() {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const seconds = Date.parse(element.dateTime) / 1000;
    if (Number.isFinite(seconds)) element.textContent = when(seconds);
  }
}

redirectOldLinks();
listenTheme();
localTimes();
startBell();
live.addEventListener("connection", drawConnection);
live.addEventListener("status", ({ detail }) => {
  if (detail.tick && !live.tick) live.tick = detail.tick;
  drawConnection();
  drawTick();
  if (!document.body.dataset.season) drawBanner();
});
live.addEventListener("status-problem", () => { if (live.connection !== "resting") $("live-text").textContent = "Server not reached"; });
live.addEventListener("tick", drawTick);
$("zone").textContent = `Times are those of ${Intl.DateTimeFormat().resolvedOptions().timeZone || "your computer"}.`;
start();
