// Building elements. Bot names, logs, errors and source are hostile text, so
// there is exactly one way from a string into the page: a text node.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element; a function-valued attribute becomes a listener of that event. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export const $ = (id) => document.getElementById(id);

/** A guest's name: isolated, so that right-to-left marks cannot rearrange what stands around it. */
export const guest = (text) => h("bdi", { class: "guest" }, text ?? "");

/** Where a bot's page is, of a season of the past where one is given. */
export const botAddress = (id, season = null) => `/bots/${encodeURIComponent(id)}${season === null ? "" : `?season=${season}`}`;

/** The season of the past that this page is about; null is the one that is played. */
export const pageSeason = () => (document.body.dataset.season === undefined ? null : Number(document.body.dataset.season));

export const botLink = (id, name, season = null) =>
  h("a", { href: botAddress(id, season), title: name }, guest(name || "(no name)"));

export const time = (seconds, shown) => h("time", { datetime: isoTime(seconds), title: isoTime(seconds) }, shown);

function isoTime(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

export function badge(node, status) {
  node.textContent = String(status ?? "").replaceAll("_", " ");
  node.setAttribute("data-status", status ?? "");
  node.hidden = !status;
  return node;
}

/** Pairs of a definition list; a null value leaves its pair out. */
export function pairs(list, entries) {
  const rows = entries.filter(([, value]) => value !== null && value !== undefined && value !== "");
  list.replaceChildren(...rows.map(([term, value, attributes]) => h("div", attributes, h("dt", null, term), h("dd", null, value))));
}

/** Say what went wrong in the problem's own words; no error clears the place. */
export function showProblem(host, error, retry) {
  host.replaceChildren();
  if (!error) return;
  host.append(h("div", { class: "problem", role: "alert" },
    h("p", null, error.message),
    retry && h("button", { type: "button", click: retry }, "Try again")));
}

/**
 * Run `work` now, then at most once per `gap` milliseconds, never twice at once.
 *
 * A call that comes too early is remembered and made once, at the end of the gap.
 */
export function calm(work, gap, signal) {
  let last = -Infinity;
  let timer = null;
  let busy = false;
  const run = async () => {
    timer = null;
    busy = true;
    last = performance.now();
    try {
      await work();
    } finally {
      busy = false;
    }
  };
  const ask = () => {
    if (signal?.aborted || timer !== null) return;
    const wait = last + gap - performance.now();
    if (!busy && wait <= 0) run();
    else timer = setTimeout(() => { timer = null; if (busy) ask(); else if (!signal?.aborted) run(); }, Math.max(wait, 250));
  };
  signal?.addEventListener("abort", () => clearTimeout(timer));
  return ask;
}
