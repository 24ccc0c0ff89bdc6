// What a bot is claimed to do, and what trying it on made markets has shown.

import { guest, h, pairs } from "./dom.js";

const NAMES = { met: "met", not_met: "not met", cannot_tell: "cannot tell" };

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
    const state = finding.state ?? finding.status ?? finding.outcome ?? finding.result ?? "";
    const place = [finding.tape ? `tape ${finding.tape}` : "", typeof finding.tick === "number" ? `tick ${finding.tick}` : ""].filter(Boolean).join(", ");
    return h("li", { "data-state": state }, h("span", { class: "badge", "data-status": state }, NAMES[state] ?? String(state).replaceAll("_", " ")),
      h("span", null, guest(finding.message ?? finding.sentence ?? finding.text ?? finding.rule ?? "")), place ? h("small", null, place) : null);
  })));
}
