// What a bot is claimed to do, and what trying it on made markets has shown.

import { guest, h, pairs } from "./dom.js";

const words = (value) => (Array.isArray(value) ? value.map(words).join(", ") : value !== null && typeof value === "object"
  ? Object.entries(value).map(([name, one]) => `${name.replaceAll("_", " ")} ${words(one)}`).join(", ") : String(value));

/** Claims as pairs of a name and what was claimed. */
export function claimList(host, claims) {
  const entries = Object.entries(claims ?? {}).filter(([, value]) => value !== null && value !== "" && words(value) !== "");
  host.hidden = entries.length === 0;
  if (host.hidden) return;
  const list = h("dl", { class: "facts narrow" });
  pairs(list, entries.map(([name, value]) => [name.replaceAll("_", " "), guest(words(value))]));
  host.replaceChildren(h("h3", null, "What it claims to do"), list);
}

/** Findings with what shows each: the tape and the tick. */
export function findingList(host, findings) {
  const list = Array.isArray(findings) ? findings : [];
  host.hidden = list.length === 0;
  if (host.hidden) return;
  host.replaceChildren(h("h3", null, "What trying it has shown"), h("ul", { class: "findings" }, list.map((finding) => {
    const { outcome, expected, message, hint, tape, tick, line } = finding;
    const place = [tape ? `market “${tape}”` : "", typeof tick === "number" ? `tick ${tick}` : "", typeof line === "number" ? `line ${line}` : ""].filter(Boolean).join(", ");
    return h("li", { "data-state": outcome }, h("span", { class: "badge", "data-status": outcome }, outcome),
      h("span", null, guest(message || expected), hint && outcome === "not met" ? h("small", null, " ", guest(hint)) : null), place ? h("small", null, place) : null);
  })));
}
