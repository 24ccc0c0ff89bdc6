// Talking to /api/v1. Problems become errors whose message is the server's own sentence.

import { $ } from "./dom.js";

const ROOT = "/api/v1";

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`);
    this.status = status;
    this.violations = Array.isArray(body?.violations) ? body.violations : [];
  }
}

export const path = (...parts) => `/${parts.map((part) => encodeURIComponent(part)).join("/")}`;

/** With accounts a change needs what the arena has given this page to read. */
function proof() {
  // Over TLS the server takes the one with the prefix only, which no other site of the domain can set.
  const found = /(?:^|; )__Host-arena_csrf=([0-9a-f]+)/.exec(document.cookie) ?? /(?:^|; )arena_csrf=([0-9a-f]+)/.exec(document.cookie);
  return found ? { "X-CSRF-Token": found[1] } : {};
}

async function call(method, url, { body, headers, signal, raw } = {}) {
  let answer;
  try {
    answer = await fetch(ROOT + url, {
      method, signal, credentials: "same-origin",
      headers: { Accept: "application/json, text/plain", ...(method === "GET" ? {} : { "Content-Type": "application/json", ...proof() }), ...headers },
      body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server cannot be reached." });
  }
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  const content = isJson ? await answer.json().catch(() => null) : await answer.text();
  // A view that was left meanwhile must not be drawn any more.
  signal?.throwIfAborted();
  if (!answer.ok) throw new Problem(answer.status, isJson ? content : null);
  return content;
}

/** The same address about a season of the past; null is the season that is played. */
export const inSeason = (url, season) => (season === null ? url : `${url}${url.includes("?") ? "&" : "?"}season=${season}`);

export const get = (url, signal) => call("GET", url, { signal });

/** A change. A 401 asks for the token once, then the same change is sent again. */
export const write = (method, url, body, headers) => changed(method, url, { body, headers });

/** A file, sent as it is. */
export const send = (url, raw) => changed("POST", url, { raw, headers: { "Content-Type": "application/octet-stream" } });

async function changed(method, url, options) {
  try {
    return await call(method, url, options);
  } catch (error) {
    if (error.status !== 401 || document.body.dataset.tokenRequired !== "true") throw error;
    if (!(await askToken())) throw new Problem(401, { detail: "Nothing was changed: this arena needs its token for changes." });
    return call(method, url, options);
  }
}

export const stopped = (error) => error?.name === "AbortError";

let asking = null;

/** Two changes may be refused at once; they share one dialog. */
function askToken() {
  asking ??= new Promise((resolve) => openTokenDialog(resolve)).finally(() => { asking = null; });
  return asking;
}

function openTokenDialog(resolve) {
  const dialog = $("token-dialog");
  const input = $("token-input");
  const problem = $("token-problem");
  const over = new AbortController();
  const finish = (granted) => { over.abort(); input.value = ""; dialog.close(); resolve(granted); };
  problem.hidden = true;
  $("token-cancel").addEventListener("click", () => finish(false), { signal: over.signal });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); finish(false); }, { signal: over.signal });
  $("token-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await call("POST", "/session", { body: { token: input.value } });
      finish(true);
    } catch (error) {
      problem.textContent = error.status === 401 ? "This token was not accepted." : error.message;
      problem.hidden = false;
      input.select();
    }
  }, { signal: over.signal });
  dialog.showModal();
  input.focus();
}

/** A yes-or-no question before something that cannot be undone. */
export function confirmed(title, text, yes) {
  const dialog = $("confirm-dialog");
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  $("confirm-no").focus();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
