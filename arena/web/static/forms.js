// The two doors: words for the writer, and a file for those who write themselves.

import { path, stopped, write } from "./api.js";
import { codeView, linesOf, violationList } from "./code.js";
import { $, badge, guest, h, showProblem } from "./dom.js";
import { plural } from "./format.js";
import { live } from "./live.js";

const EXAMPLES = {
  "EMA cross": "Buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC.",
  "Mean reversion": "Buy 0.01 BTC when the price falls 0.5% below its 50-tick average; sell it when the price is back at the average.",
  "Breakout": "Buy 0.1 ETH when the price breaks the highest price of the last 60 ticks, sell when it falls below the lowest of the last 30.",
};
const maxBytes = () => Number(document.body.dataset.sourceBytes);
const tooLarge = () => new Error(`This is larger than ${Math.floor(maxBytes() / 1024)} KiB, more than a bot's source may be.`);
const CLOSED = "This season is over, and takes no strategies. The next one opens when whoever runs this arena enters: arena season new";
const KEPT = 5;

/** What a browser remembers is a convenience: storage may be full, forbidden or broken. */
const memory = {
  read(name, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`arena.${name}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  write(name, value) {
    try {
      localStorage.setItem(`arena.${name}`, JSON.stringify(value));
    } catch {
      // Nothing depends on it.
    }
  },
};

function rememberAuthor(input) {
  const known = memory.read("author", "");
  input.value = typeof known === "string" ? known : "";
  return () => memory.write("author", input.value.trim());
}

/** Optional fields are left out when empty, so that the server's defaults apply. */
const filled = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));

/** Words that were refused, on their way back into the box; and what was odd about a bot that has just come in. */
let draft = null;
const oddities = new Map();
export const editAgain = ({ prompt, name, author }) => { draft = { prompt, name, author }; location.hash = "#/"; };
export const warningsOf = (id) => oddities.get(id) ?? [];

function takeDraft() {
  if (!draft) return;
  $("prompt").value = draft.prompt ?? "";
  $("submit-name").value = draft.name ?? "";
  if (draft.author && draft.author !== "local") $("submit-author").value = draft.author;
  draft = null;
  // After the move to this page, which puts the focus on its heading.
  setTimeout(() => { $("prompt")?.focus(); $("prompt")?.scrollIntoView({ block: "center" }); }, 0);
}

/** A season that is over takes nothing; that is said before anything is written into the box. */
function followSeason(button, note, signal) {
  const draw = () => {
    const over = live.status?.season?.status === "closed" || live.status?.state === "finished";
    note.textContent = over ? CLOSED : "";
    note.hidden = !over;
    button.toggleAttribute("data-closed", over);
    button.disabled = over || button.hasAttribute("data-busy");
  };
  draw();
  live.addEventListener("status", draw, { signal });
}

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function whileBusy(buttons, work) {
  return async (...args) => {
    buttons.forEach((button) => { button.disabled = true; button.toggleAttribute("data-busy", true); });
    try {
      await work(...args);
    } finally {
      buttons.forEach((button) => { button.disabled = button.hasAttribute("data-closed"); button.removeAttribute("data-busy"); });
    }
  };
}

export function submitForm(signal) {
  const prompt = $("prompt");
  const result = $("submit-result");
  const keepAuthor = rememberAuthor($("submit-author"));
  let sent = { text: null, key: null };
  $("prompt-examples").replaceChildren(...Object.entries(EXAMPLES).map(([name, text]) =>
    h("button", { type: "button", class: "chip", title: text, click: () => { prompt.value = text; prompt.focus(); } }, name)));

  const send = whileBusy([$("submit-button")], async () => {
    const fields = filled({ prompt: prompt.value.trim(), name: $("submit-name").value.trim(), author: $("submit-author").value.trim() });
    if (!fields.prompt) return refuse(prompt, result, "Say in a sentence or two what the bot should do.");
    showProblem(result, null);
    // The same words sent again after a lost answer carry the same key: one submission, not two.
    const text = JSON.stringify(fields);
    if (sent.text !== text) sent = { text, key: newKey() };
    try {
      const made = await write("POST", "/strategies", fields, { "Idempotency-Key": sent.key });
      keepAuthor();
      remember(made.id, fields.prompt);
      if (!signal.aborted) location.hash = `#${path("submission", made.id)}`;
    } catch (error) {
      showProblem(result, error);
    }
    return undefined;
  });
  $("submit-form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  takeDraft();
  followSeason($("submit-button"), $("submit-closed"), signal);
  writerNote();
  live.addEventListener("status", writerNote, { signal });
  ownSubmissions(signal);
}

function refuse(field, host, sentence) {
  showProblem(host, new Error(sentence));
  field.focus();
}

function writerNote() {
  const writer = live.status?.generator;
  if (!writer) return;
  $("writer-note").textContent = writer.kind === "model"
    ? `The code will be written by ${writer.model}, checked, and tried on a short market before it may trade.`
    : "No model is configured: a rule-based writer turns common strategies into code and says which words it could not use.";
}

const remember = (id, prompt) => memory.write("submissions", [{ id, prompt: prompt.slice(0, 90) }, ...known().filter((entry) => entry.id !== id)].slice(0, KEPT));
const known = () => {
  const list = memory.read("submissions", []);
  return Array.isArray(list) ? list.filter((entry) => typeof entry?.id === "string") : [];
};

function ownSubmissions(signal) {
  const list = known();
  const states = new Map(list.map(({ id }) => [id, badge(h("span", { class: "badge" }), "")]));
  $("own-submissions").hidden = list.length === 0;
  $("own-submissions-list").replaceChildren(...list.map(({ id, prompt }) =>
    h("li", { "data-id": id }, h("a", { href: `#${path("submission", id)}` }, guest(prompt)), states.get(id))));
  live.addEventListener("submission", ({ detail }) => { if (states.has(detail.id)) badge(states.get(detail.id), detail.status); }, { signal });
}

export function uploadForm(signal) {
  const source = $("upload-source");
  const result = $("upload-result");
  const buttons = [$("check-button"), $("upload-button")];
  const keepAuthor = rememberAuthor($("upload-author"));
  const jump = (line) => select(source, line);

  $("upload-file").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    const { text, problem } = await readSource(file);
    showProblem(result, problem);
    if (text !== null) source.value = text;
    // So that the same file, mended, can be chosen again.
    else target.value = "";
  });

  const guarded = (work) => whileBusy(buttons, async () => {
    if (!source.value.trim()) { refuse(source, result, "Choose a file or paste the code of a bot first."); return; }
    if (new TextEncoder().encode(source.value).length > maxBytes()) { showProblem(result, tooLarge()); return; }
    showProblem(result, null);
    try {
      await work();
    } catch (error) {
      if (stopped(error)) return;
      showProblem(result, error);
      if (error.violations?.length) result.append(verdict(source.value, error.violations, jump));
    }
  });

  $("check-button").addEventListener("click", guarded(async () => {
    const { accepted, violations, warnings = [] } = await write("POST", "/bots/check", { source: source.value });
    result.replaceChildren(
      h("p", { class: accepted ? "good" : "bad", "data-accepted": String(accepted) },
        accepted ? "Accepted: this code may trade." : `Refused: ${plural(violations.length, "violation")}.`),
      ...warnings.map((warning) => h("p", { class: "notice", "data-notice": "warning" }, guest(warning))),
      violations.length > 0 ? verdict(source.value, violations, jump) : "");
  }));

  const upload = guarded(async () => {
    const bot = await write("POST", "/bots", filled({ source: source.value, author: $("upload-author").value.trim() }));
    keepAuthor();
    oddities.set(bot.bot_id, bot.warnings ?? []);
    if (!signal.aborted) location.hash = `#${path("bot", bot.bot_id)}`;
  });
  $("upload-form").addEventListener("submit", (event) => { event.preventDefault(); upload(); });
  followSeason($("upload-button"), $("upload-closed"), signal);
}

/** A file's text, or why it is none: what is not UTF-8 would else be changed silently. */
async function readSource(file) {
  if (file.size > maxBytes()) return { text: null, problem: tooLarge() };
  const bytes = await file.arrayBuffer();
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), problem: null };
  } catch {
    return { text: null, problem: new Error(`${file.name} is not UTF-8 text; save the file as UTF-8.`) };
  }
}

function verdict(source, violations, jump) {
  const title = "The code with its violations";
  return h("div", null, violationList(source, violations, jump),
    h("details", null, h("summary", null, title),
      h("div", { class: "code-scroll", tabindex: "0", role: "region", "aria-label": title }, codeView(source, violations))));
}

/** Select a line of the text area and bring it into view. */
function select(area, line) {
  const before = linesOf(area.value).slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const text = linesOf(area.value)[line - 1] ?? "";
  area.focus();
  area.setSelectionRange(before, before + text.length);
  area.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(area).lineHeight));
}
