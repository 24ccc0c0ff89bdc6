// The two doors: words for the writer, and a file for those who write themselves.

import { get, path, stopped, write } from "./api.js";
import { codeView, linesOf, violationList } from "./code.js";
import { $, badge, guest, h, showProblem } from "./dom.js";
import { number, plural } from "./format.js";
import { findingList } from "./findings.js";
import { live } from "./live.js";
import { memory, ownSubmissions, rememberBot, rememberSubmission } from "./memory.js";

const EXAMPLES = {
  "EMA cross": "Buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC.",
  "Mean reversion": "Buy 0.01 BTC when the price falls 0.5% below its 50-tick average; sell it when the price is back at the average.",
  "Breakout": "Buy 0.1 ETH when the price breaks the highest price of the last 60 ticks, sell when it falls below the lowest of the last 30.",
};
const TEMPLATES = {
  "Buy the dip": `NAME = "Dip Buyer"
SYMBOLS = ["BTCUSDT"]

anchor = None


def on_tick(ctx, tick):
    global anchor
    price = ctx.get_price("BTCUSDT")
    if price is None:
        return
    anchor = price if anchor is None else anchor
    held = ctx.get_position("BTCUSDT")
    if held == 0 and price < anchor * 0.999:
        ctx.log(f"0.1 % below {anchor:.2f}")
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif held > 0 and price > anchor * 1.001:
        ctx.submit_order("BTCUSDT", "SELL", held)
        anchor = price
`,
  "Moving averages": `from collections import deque
from statistics import fmean

NAME = "Two Averages"
SYMBOLS = ["BTCUSDT"]

SIZE = 0.01
prices = deque(maxlen=50)


def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    if price is None:
        return
    prices.append(price)
    if len(prices) < 50:
        return
    fast, slow = fmean(list(prices)[-10:]), fmean(prices)
    held = ctx.get_position("BTCUSDT")
    if fast > slow and held == 0:
        ctx.log(f"the 10-tick average {fast:.2f} is above the 50-tick average {slow:.2f}")
        ctx.submit_order("BTCUSDT", "BUY", SIZE)
    elif fast < slow and held > 0:
        ctx.log(f"the 10-tick average {fast:.2f} is below the 50-tick average {slow:.2f}")
        ctx.submit_order("BTCUSDT", "SELL", held)
`,
  "Empty": `NAME = "My Bot"
SYMBOLS = ["BTCUSDT"]


def init(ctx):
    ctx.log("ready")


def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    if price is None:
        return
`,
};
const maxBytes = () => Number(document.body.dataset.sourceBytes);
const tooLarge = () => new Error(`This is larger than ${Math.floor(maxBytes() / 1024)} KiB, more than a bot's source may be.`);
const CLOSED = "This season is over, and takes no strategies. The next one opens when whoever runs this arena enters: arena season new";
const LISTED = 5;

function rememberAuthor(input) {
  const known = memory.read("author", "");
  input.value = typeof known === "string" ? known : "";
  return () => memory.write("author", input.value.trim());
}

/** Optional fields are left out when empty, so that the server's defaults apply. */
const filled = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));

/** Words that were refused, on their way back into the box; and what was odd about a bot that has just come in. */
const carried = {
  put(name, value) { try { sessionStorage.setItem(`arena.${name}`, JSON.stringify(value)); } catch { /* Then the words must be typed again. */ } },
  take(name, otherwise, keep = false) {
    try {
      const found = JSON.parse(sessionStorage.getItem(`arena.${name}`) ?? "null");
      if (!keep) sessionStorage.removeItem(`arena.${name}`);
      return found ?? otherwise;
    } catch {
      return otherwise;
    }
  },
};
export const editAgain = ({ prompt, name, author }) => { carried.put("draft", { prompt, name, author }); location.assign("/submit"); };
export const warningsOf = (id) => carried.take(`warnings.${id}`, [], true);

function takeDraft() {
  const draft = carried.take("draft", null);
  if (!draft) return;
  $("prompt").value = draft.prompt ?? "";
  $("submit-name").value = draft.name ?? "";
  if (draft.author && draft.author !== "local") $("submit-author").value = draft.author;
  $("prompt").focus();
}

/** A season that is over takes nothing; that is said before anything is written into the box. */
function followSeason(button, note) {
  const draw = () => {
    const over = live.status?.season?.status === "closed" || live.status?.state === "finished";
    note.textContent = over ? CLOSED : "";
    note.hidden = !over;
    button.toggleAttribute("data-closed", over);
    button.disabled = over || button.hasAttribute("data-busy");
  };
  draw();
  live.addEventListener("status", draw);
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

/** The box for words, on the board and on the page for sending. */
export function promptForm() {
  const prompt = $("prompt");
  const result = $("submit-result");
  const keepAuthor = rememberAuthor($("submit-author"));
  let sent = { text: null, key: null };
  $("prompt-examples").replaceChildren(...Object.entries(EXAMPLES).map(([name, text]) =>
    h("button", { type: "button", class: "chip", title: text, click: () => { prompt.value = text; prompt.focus(); } }, name)));

  const send = whileBusy([$("submit-button")], async () => {
    const fields = filled({ prompt: prompt.value.trim(), name: $("submit-name").value.trim(), author: $("submit-author").value.trim() });
    if (!fields.prompt) return refuse(prompt, result, "Say in a sentence or two what the bot should do.");
    const problem = addChoice(fields);
    if (problem) return refuse(...problem);
    showProblem(result, null);
    // The same words sent again after a lost answer carry the same key: one submission, not two.
    const text = JSON.stringify(fields);
    if (sent.text !== text) sent = { text, key: newKey() };
    try {
      const made = await write("POST", "/strategies", fields, { "Idempotency-Key": sent.key });
      keepAuthor();
      (made.items ?? [made]).forEach(({ id }) => rememberSubmission(id, fields.prompt));
      if (!made.items) location.assign(path("submissions", made.id));
      else showSeveral(result, made.items);
    } catch (error) {
      showProblem(result, error);
    }
    return undefined;
  });
  $("submit-form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  takeDraft();
  followSeason($("submit-button"), $("submit-closed"));
  writerNote();
  live.addEventListener("status", writerNote);
  listOwn();
  offerModels();
}

/** Put the chosen models and the number of samples into a request; return what is wrong with them, as `refuse` takes it. */
function addChoice(fields) {
  const result = $("submit-result");
  const boxes = [...$("model-choice").querySelectorAll("input")];
  const models = boxes.filter(({ checked }) => checked).map(({ value }) => value);
  if (boxes.length > 0 && models.length === 0) return [boxes[0], result, "Choose at least one model."];
  const samples = Number($("submit-samples").value);
  if (!Number.isInteger(samples) || samples < 1 || samples > 10) {
    $("several").open = true;
    return [$("submit-samples"), result, "The number of bots from each model is a whole number from 1 to 10."];
  }
  if (models.length > 0) fields.models = models;
  if (samples > 1) fields.samples = samples;
  if (samples * Math.max(1, models.length) > 1) fields.keep = $("submit-keep").value;
  return null;
}

/** Several submissions from the same words: each with its state and the way to it. */
function showSeveral(host, items) {
  const rows = items.map(({ id, model, status }) => ({ id, model, state: badge(h("span", { class: "badge" }), status) }));
  host.replaceChildren(
    h("p", { class: "good" }, `${plural(items.length, "bot")} are being written:`),
    h("ul", { id: "several-made" }, ...rows.map(({ id, model, state }, n) =>
      h("li", { "data-id": id }, h("a", { href: path("submissions", id) }, guest(`${model}, number ${n + 1}`)), " ", state))));
  live.addEventListener("submission", ({ detail }) => rows.filter(({ id }) => id === detail.id).forEach(({ state }) => badge(state, detail.status)));
  listOwn();
}

function refuse(field, host, sentence) {
  showProblem(host, new Error(sentence));
  field.focus();
}

function writerNote() {
  const writer = live.status?.generator;
  if (!writer) return;
  if (!$("model-choice").hidden) $("writer-note").textContent = "What is written is checked, and tried on a short market before it may trade.";
  else $("writer-note").textContent = writer.kind === "model"
    ? `The code will be written by ${writer.model}, checked, and tried on a short market before it may trade.`
    : "No model is configured: a rule-based writer turns common strategies into code and says which words it could not use.";
}

function listOwn() {
  const list = ownSubmissions().slice(0, LISTED);
  const states = new Map(list.map(({ id }) => [id, badge(h("span", { class: "badge" }), "")]));
  $("own-submissions").hidden = list.length === 0;
  $("own-submissions-list").replaceChildren(...list.map(({ id, prompt }) =>
    h("li", { "data-id": id }, h("a", { href: path("submissions", id) }, guest(prompt)), states.get(id))));
  live.addEventListener("submission", ({ detail }) => { if (states.has(detail.id)) badge(states.get(detail.id), detail.status); });
}

/** A choice of models with their prices, where the arena has more than one; how many bots each is to write. */
async function offerModels() {
  const { items: models, budgets } = await get("/models").catch(() => ({ items: [], budgets: [] }));
  const left = budgets.filter(({ left: rest }) => typeof rest === "number");
  $("budget-note").hidden = left.length === 0;
  $("budget-note").textContent = `Left: ${left.map(({ scope, unit, left: rest }) => `${number(rest, unit === "tokens" ? 0 : 2)} ${unit} (${scope.replaceAll("_", " ")})`).join(", ")}.`;
  $("several").hidden = models.every(({ model }) => model === null); // rules write the same bot each time
  $("model-choice").hidden = models.length < 2;
  if (models.length < 2) return;
  const words = ({ model, price_in: into, price_out: out }) => (model === null ? "rules, no model: free" : typeof into === "number" ? `$${number(into)} in, $${number(out)} out per million tokens` : "no price is known");
  $("model-choice").replaceChildren(h("legend", null, "Written by"), ...models.map((model) =>
    h("label", { class: "check" }, h("input", { type: "checkbox", value: model.name, ...(model.default ? { checked: "" } : {}) }),
      h("span", null, guest(model.name), h("span", { class: "optional" }, ` ${words(model)}`)))));
  writerNote();
}

/** The place for a program: a file, a drop, or the editor with its check. */
export function uploadForm() {
  const source = $("upload-source");
  const result = $("upload-result");
  const buttons = [$("check-button"), $("upload-button")];
  const keepAuthor = rememberAuthor($("upload-author"));
  const jump = (line) => select(source, line);

  const take = async (file) => {
    const { text, problem } = await readSource(file);
    showProblem(result, problem);
    if (text !== null) {
      source.value = text;
      source.dispatchEvent(new Event("input"));
    }
    return text !== null;
  };
  $("upload-file").addEventListener("change", async ({ target }) => {
    // A refused file is let go, so that the same one, mended, can be chosen again.
    if (target.files[0] && !(await take(target.files[0]))) target.value = "";
  });
  listenDrop($("upload-drop"), take);
  liveCheck(source);
  offerTemplates(source);

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
    const { accepted, violations, warnings = [], report } = await write("POST", "/bots/check", { source: source.value });
    result.replaceChildren(
      h("p", { class: accepted ? "good" : "bad", "data-accepted": String(accepted) },
        accepted ? "Accepted: this code may trade." : `Refused: ${plural(violations.length, "violation")}.`),
      ...warnings.map((warning) => h("p", { class: "notice", "data-notice": "warning" }, guest(warning))),
      violations.length > 0 ? verdict(source.value, violations, jump) : "");
    if (report) {
      const found = h("div");
      findingList(found, report.findings);
      result.append(found);
    }
  }));

  const upload = guarded(async () => {
    const bot = await write("POST", "/bots", filled({ source: source.value, author: $("upload-author").value.trim() }));
    keepAuthor();
    rememberBot(bot.bot_id);
    if (bot.warnings?.length) carried.put(`warnings.${bot.bot_id}`, bot.warnings);
    location.assign(path("bots", bot.bot_id));
  });
  $("upload-form").addEventListener("submit", (event) => { event.preventDefault(); upload(); });
  followSeason($("upload-button"), $("upload-closed"));
}

function listenDrop(area, take) {
  const over = (on) => (event) => { event.preventDefault(); area.classList.toggle("over", on); };
  area.addEventListener("dragover", over(true));
  area.addEventListener("dragleave", over(false));
  area.addEventListener("drop", (event) => {
    over(false)(event);
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
}

const CHECK_AFTER_MS = 700;

/** While one writes, the program is checked and the lines that break a rule are marked beside their numbers. */
function liveCheck(source) {
  const gutter = $("upload-gutter");
  const note = $("upload-live");
  let timer = null;
  let asked = 0;
  const number = (marked = new Map()) => gutter.replaceChildren(...linesOf(source.value).map((_, index) =>
    h("span", { "data-line": index + 1, class: marked.has(index + 1) ? "marked" : null, title: marked.get(index + 1) }, `${index + 1}\n`)));
  const check = async () => {
    if (!source.value.trim() || new TextEncoder().encode(source.value).length > maxBytes()) { note.textContent = ""; return; }
    asked += 1;
    const mine = asked;
    try {
      const { accepted, violations } = await write("POST", "/bots/check?report=false", { source: source.value });
      if (mine !== asked) return;
      number(new Map(violations.map((violation) => [violation.line, violation.message])));
      const [first] = violations;
      note.textContent = accepted ? "Checked: this code keeps the rules." : `${plural(violations.length, "violation")}. ${first.line ? `Line ${first.line}: ` : ""}${first.message}`;
      note.setAttribute("data-tone", accepted ? "up" : "down");
    } catch {
      // The check button says what is wrong; while one writes it would only disturb.
      note.textContent = "";
    }
  };
  source.addEventListener("input", () => { number(); clearTimeout(timer); timer = setTimeout(check, CHECK_AFTER_MS); });
  source.addEventListener("scroll", () => { gutter.scrollTop = source.scrollTop; });
  source.addEventListener("keydown", (event) => {
    // A tab indents here; Escape before it leaves the editor, as the hint says.
    if (event.key !== "Tab" || event.shiftKey || source.dataset.leave) return;
    event.preventDefault();
    source.setRangeText("    ", source.selectionStart, source.selectionEnd, "end");
    source.dispatchEvent(new Event("input"));
  });
  source.addEventListener("keyup", (event) => { source.dataset.leave = event.key === "Escape" ? "yes" : ""; });
  number();
}

function offerTemplates(source) {
  const put = (text) => { source.value = text; source.dispatchEvent(new Event("input")); source.focus(); };
  $("upload-templates").replaceChildren(...Object.entries(TEMPLATES).map(([name, text]) =>
    h("button", { type: "button", class: "chip", "data-template": name, click: () => put(text) }, name)));
  if (new URLSearchParams(location.search).has("template")) put(Object.values(TEMPLATES)[0]);
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
      h("div", { class: "code-scroll", tabindex: "0", role: "group", "aria-label": title }, codeView(source, violations))));
}

/** Select a line of the text area and bring it into view. */
function select(area, line) {
  const before = linesOf(area.value).slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const text = linesOf(area.value)[line - 1] ?? "";
  area.focus();
  area.setSelectionRange(before, before + text.length);
  area.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(area).lineHeight));
}
