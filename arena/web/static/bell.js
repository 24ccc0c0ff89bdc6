// Notices about one's own bots: those that were sent from this browser.

import { get, path } from "./api.js";
import { $, calm, guest, h, time } from "./dom.js";
import { plural, when } from "./format.js";
import { live } from "./live.js";
import { memory, ownBots, ownSubmissions, rememberBot } from "./memory.js";

const KEPT = 30;
const LOOKED_AFTER = 8;
const GAP_MS = 15_000;
const ENDS = {
  admitted: "A bot was admitted.", rejected: "A strategy was refused.", failed: "A strategy failed through a fault of the arena.",
};

const notices = () => memory.read("notices", []);

function tell(text, link, name) {
  const all = [{ at: Date.now() / 1000, text, link, name, unread: true }, ...notices()].slice(0, KEPT);
  memory.write("notices", all);
  draw();
}

function draw() {
  const all = notices();
  const unread = all.filter((notice) => notice.unread).length;
  $("bell-count").textContent = unread;
  $("bell-count").hidden = unread === 0;
  $("bell").setAttribute("aria-label", unread ? `${plural(unread, "new notice")} about your bots` : "Notices about your bots");
  $("bell-empty").hidden = all.length > 0;
  $("bell-list").replaceChildren(...all.map(({ at, text, link, name }) =>
    h("li", null, h("a", { href: link }, name ? [guest(name), " "] : "", text), h("small", null, time(at, when(at))))));
}

/** What a bot has become since it was last looked at, in a sentence; null where there is nothing to tell. */
function change(before, now) {
  if (before.status && before.status !== now.status && !["active", "starting"].includes(now.status)) return `is ${now.status.replaceAll("_", " ")}.`;
  if (now.verified && before.verified !== now.verified) return `was run again, and its record comes out ${now.verified === "reproduced" ? "the same" : "otherwise"}.`;
  // Within a tie a change of place says nothing.
  const tied = typeof now.tie_first === "number" && before.rank >= now.tie_first && before.rank <= now.tie_last;
  if (before.rank && now.rank && before.rank !== now.rank && !tied && Math.abs(before.rank - now.rank) >= 3) return `went from rank ${before.rank} to ${now.rank}.`;
  return null;
}

const look = calm(async () => {
  for (const known of ownBots().slice(0, LOOKED_AFTER)) {
    let bot;
    try {
      bot = await get(path("bots", known.id));
    } catch {
      continue;
    }
    const words = change(known, bot);
    if (words) tell(words, path("bots", bot.bot_id), bot.name);
    if (words || known.status === undefined) {
      const all = ownBots().map((one) => (one.id === known.id ? { id: one.id, status: bot.status, rank: bot.rank, verified: bot.verified } : one));
      memory.write("bots", all);
    }
  }
}, GAP_MS);

export function startBell() {
  draw();
  const panel = $("bell-panel");
  const close = () => { panel.hidden = true; $("bell").setAttribute("aria-expanded", "false"); };
  $("bell").addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    $("bell").setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden) {
      draw();
      memory.write("notices", notices().map((notice) => ({ ...notice, unread: false })));
      $("bell-count").hidden = true;
    }
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !panel.hidden) { close(); $("bell").focus(); } });
  document.addEventListener("click", ({ target }) => { if (!panel.hidden && !panel.contains(target) && !$("bell").contains(target)) close(); });
  window.addEventListener("storage", ({ key }) => { if (key === "arena.notices") draw(); });
  live.addEventListener("submission", ({ detail }) => {
    if (!(detail.status in ENDS) || !ownSubmissions().some(({ id }) => id === detail.id)) return;
    if (detail.bot_id) rememberBot(detail.bot_id);
    // Whoever looks at the submission itself need not be told.
    if (location.pathname !== path("submissions", detail.id)) tell(ENDS[detail.status], path("submissions", detail.id));
  });
  live.addEventListener("leaderboard", () => { if (ownBots().length > 0) look(); });
}

