// One submission: how words become a bot, step by step, with every attempt.

import { get, path, stopped, write } from "./api.js";
import { Curves, points } from "./charts.js";
import { codeView, diffView, violationList } from "./code.js";
import { $, badge, calm, guest, h, showProblem, time } from "./dom.js";
import { claimList, findingList } from "./findings.js";
import { editAgain } from "./forms.js";
import { duration, number, percent, plural, when, whole } from "./format.js";
import { live } from "./live.js";
import { rememberBot, ownSubmissions } from "./memory.js";

const STEPS = ["queued", "generating", "validating", "repairing", "testing"];
const STAGES = {
  generating: "Rejected while it was written: no bot was made of these words.",
  validating: "Rejected by the check of the code: it breaks a rule of bots.",
  testing: "Rejected by the trial run: the code passed the check and did not do on recorded prices.",
};
const ENDS = {
  admitted: "Admitted: the bot trades from the next tick on.",
  rejected: "Rejected: no bot was made of these words.",
  failed: "Failed: the fault is on the arena's side, not in the words.",
  cancelled: "Cancelled: nothing more is done for it.",
};
const SAID = { done: "done", current: "now", skipped: "not needed", ahead: "to come", missed: "not reached", refused: "said no" };
// Rules that only a trial run can find broken, and those about an answer that holds no code.
const TRIAL_RULES = ["trial-run", "load-failed"];
const WRITING_RULES = ["no-code", "cut-off"];

let trialCurves = null;

/** How the newest trial run went: the bot's return beside that of the price it traded. */
async function drawTrial(trial) {
  if (!trial) return;
  const host = $("submission-trial");
  if (!trialCurves) {
    const plot = h("div", { class: "chart-host short" });
    host.replaceChildren(h("h3", null, "Trial run"), h("p", { class: "hint" }), plot);
    trialCurves = new Curves(plot, "Return in the trial run", percent);
  }
  const where = trial.recorded ? "recorded" : "made-up";
  host.querySelector("p").textContent =
    `${plural(trial.ticks, `${where} tick`)}: ${plural(trial.trades, "trade")}, ${whole(trial.rejected)} rejected, ${percent(trial.return_pct)}.`;
  const line = (values) => {
    const first = values.find((value) => value > 0);
    return points(trial.times, values.map((value) => (value === null ? null : (value / first - 1) * 100)));
  };
  await trialCurves.update([
    { id: "bot", name: "This bot", slot: 0, points: line(trial.equity) },
    { id: "price", name: trial.symbol, slot: 5, points: line(trial.prices) },
  ], 0);
}

const isOver = (status) => status in ENDS;

/** Which step said no, of a rejected submission: its last attempt tells. */
function refusedAt({ status, stage, attempts }) {
  if (status !== "rejected") return null;
  if (stage in STAGES) return stage;
  const last = attempts.at(-1);
  const rules = (last?.violations ?? []).map(({ rule }) => rule);
  if (rules.length === 0 || rules.some((rule) => WRITING_RULES.includes(rule))) return "generating";
  return rules.some((rule) => TRIAL_RULES.includes(rule)) ? "testing" : "validating";
}

/**
 * Which steps were passed.
 *
 * The server tells only the present one; the attempts tell the past: code means
 * that it was validated, a second attempt that one was repaired, clean code that it was tested.
 */
function stepStates({ status, stage, attempts }) {
  const last = attempts.at(-1);
  const passed = {
    queued: status !== "queued",
    generating: attempts.length > 0 || STEPS.indexOf(status) > 1,
    validating: attempts.some(({ source }) => source) || STEPS.indexOf(status) > 2,
    repairing: attempts.length > 1,
    testing: status === "admitted" || (isOver(status) && Boolean(last?.source) && !last.violations?.length && !last.error),
  };
  const refused = refusedAt({ status, stage, attempts });
  return STEPS.map((step) => {
    if (step === refused) return [step, "refused"];
    // After the step that said no there is nothing that was passed, but for a repair between two attempts.
    if (refused && step !== "repairing" && STEPS.indexOf(step) > STEPS.indexOf(refused)) return [step, "missed"];
    if (step === status) return [step, "current"];
    if (passed[step]) return [step, "done"];
    if (!isOver(status)) return [step, "ahead"];
    return [step, step === "repairing" && passed.testing ? "skipped" : "missed"];
  });
}

function drawSteps(submission) {
  const last = isOver(submission.status) ? [[submission.status, "current"]] : [["admitted", "ahead"]];
  $("submission-steps").replaceChildren(...[...stepStates(submission), ...last].map(([step, state]) =>
    h("li", { "data-step": step, "data-state": state, "data-status": step, "aria-current": state === "current" ? "step" : null },
      h("span", { class: "step-name" }, step), h("span", { class: "step-state" }, isOver(step) && state === "current" ? "result" : SAID[state]))));
}

function tokens(usage) {
  if (typeof usage?.prompt_tokens !== "number" && typeof usage?.completion_tokens !== "number") return null;
  return `${whole(usage.prompt_tokens ?? 0)} + ${whole(usage.completion_tokens ?? 0)} tokens`;
}

const fold = (name, title, content) => h("details", { "data-part": name }, h("summary", null, title),
  h("div", { class: "code-scroll", tabindex: "0", role: "group", "aria-label": title }, content));

function attemptCard(attempt) {
  const violations = attempt.violations ?? [];
  const facts = [attempt.model ?? "no model", tokens(attempt.usage), typeof attempt.seconds === "number" ? duration(attempt.seconds) : null,
    typeof attempt.cost_usd === "number" && attempt.cost_usd > 0 ? `${number(attempt.cost_usd, 4)} USD` : null,
    attempt.source ? (violations.length > 0 ? plural(violations.length, "violation") : "no violations") : null];
  return h("article", { class: "card attempt", "data-attempt": attempt.n, "aria-labelledby": `attempt-${attempt.n}` },
    h("div", { class: "card-head" }, h("h3", { id: `attempt-${attempt.n}` }, `Attempt ${attempt.n}`), h("p", { class: "hint" }, guest(facts.filter(Boolean).join(" · ")))),
    attempt.error ? h("p", { class: "notice", "data-notice": "error" }, guest(attempt.error)) : null,
    violations.length > 0 ? violationList(attempt.source, violations) : null,
    attempt.source ? fold("source", "Source", codeView(attempt.source, violations)) : null,
    attempt.cause ? h("p", { class: "said" }, h("strong", null, "Cause: "), guest(attempt.cause)) : null,
    attempt.diff ? fold("diff", "What it changed", diffView(attempt.diff)) : null,
    attempt.completion ? fold("completion", "The writer's whole answer", h("pre", null, attempt.completion)) : null);
}

/** Cards are replaced only when their attempt has changed, and stay as far open as they were. */
function attemptsList() {
  const shown = new Map();
  return (attempts) => {
    $("attempts-empty").hidden = attempts.length > 0;
    for (const attempt of attempts) {
      const text = JSON.stringify(attempt);
      const old = shown.get(attempt.n);
      if (old?.text === text) continue;
      const card = attemptCard(attempt);
      for (const part of old?.card.querySelectorAll("details[open]") ?? []) {
        card.querySelector(`details[data-part="${part.dataset.part}"]`)?.setAttribute("open", "");
      }
      if (old) old.card.replaceWith(card);
      else $("attempts").append(card);
      shown.set(attempt.n, { text, card });
    }
  };
}

function drawOutcome(submission) {
  const { status, reason, bot_id: bot, attempts } = submission;
  const end = STAGES[refusedAt(submission)] ?? ENDS[status];
  const text = isOver(status) ? end : reason ? "" : "This page follows along by itself.";
  $("submission-outcome").replaceChildren(h("span", null, text), reason ? h("span", { class: "reason" }, guest(reason)) : "",
    bot ? h("a", { id: "submission-bot", class: "button primary", href: path("bots", bot) }, "See the bot") : "");
  $("submission-again").hidden = status !== "rejected" && status !== "failed";
  if (isOver(status) && attempts.length === 0) $("attempts-empty").textContent = "No attempt was made.";
}

/** The question that tells the samples of a request apart, where there is one; unanswered, it is decided in time. */
function drawQuestion(url, found) {
  const form = $("submission-question");
  const { question, choices, chosen, decided, answer_by: due } = found;
  form.hidden = !question;
  if (form.hidden) return;
  const answer = async (choice) => {
    try {
      drawQuestion(url, await write("POST", `${url}/answer`, { choice }));
    } catch (error) {
      showProblem($("submission-problem"), error);
    }
  };
  const item = ({ choice, words, bots }) => h("li", { "data-choice": choice }, guest(words), h("small", null, ` ${plural(bots.length, "sample")}`),
    chosen === choice ? h("span", { class: "badge", "data-status": "met" }, "taken") : "",
    chosen === null ? h("button", { type: "button", click: () => answer(choice) }, "This is meant")
      : chosen === choice ? h("a", { href: path("bots", bots[0]) }, "See the bot") : "");
  form.replaceChildren(h("h3", null, chosen === null ? "A question: which is meant?" : "The question, and its answer"), h("p", null, guest(question.split("(1)")[0])),
    h("ol", { class: "choices" }, choices.map(item)),
    decided ? h("p", { class: "hint" }, decided) : "",
    chosen === null && due ? h("p", { class: "hint" }, "Unanswered until ", time(due, when(due)), ", the first one is taken.") : "");
}

/** The text of an attempt so far, with what is told of it from a place on. */
const written = { attempt: null, text: "" };
function textFrom({ attempt, offset, text }) {
  if (written.attempt !== attempt) Object.assign(written, { attempt, text: "" });
  written.text = written.text.slice(0, offset ?? written.text.length) + (text ?? "");
  return written.text;
}

/** What the writer has written so far; the newest line stays in sight. */
function drawStream(status, text) {
  const box = $("submission-stream");
  if (text !== null) box.textContent = text;
  $("submission-live").hidden = isOver(status) || box.textContent === "";
  box.scrollTop = box.scrollHeight;
}

function showSubmission() {
  const id = $("submission").dataset.submission;
  const url = path("strategies", id);
  const drawAttempts = attemptsList();
  let stream = null;
  let current = null;
  $("submission-again").addEventListener("click", () => editAgain(current));
  $("submission-cancel").addEventListener("click", async () => {
    try {
      await write("POST", `${url}/cancel`);
      load();
    } catch (error) {
      showProblem($("submission-problem"), error);
    }
  });

  // The samples are compared once the last of them has ended.
  const lookForQuestion = calm(async () => {
    try {
      drawQuestion(url, await get(`${url}/question`));
    } catch (error) {
      if (error.status === 404) setTimeout(lookForQuestion, 3000);
    }
  }, 1000);

  const apply = (submission) => {
    const shown = { ...submission, attempts: submission.attempts ?? [] };
    current = shown;
    showProblem($("submission-problem"), null);
    badge($("submission-status"), shown.status);
    document.title = `Submission ${shown.status} – Arena`;
    drawSteps(shown);
    drawAttempts(shown.attempts);
    drawOutcome(shown);
    if (isOver(shown.status) && shown.group_id) lookForQuestion();
    drawTrial(shown.trial);
    claimList($("submission-claims"), shown.attempts.at(-1)?.report?.claims);
    findingList($("submission-findings"), shown.attempts.at(-1)?.report?.findings);
    $("submission-cancel").hidden = isOver(shown.status);
    if (isOver(shown.status)) drawStream(shown.status, null);
    if (shown.bot_id && ownSubmissions().some((own) => own.id === id)) rememberBot(shown.bot_id);
    // The server ends the stream with the submission; EventSource would ask for it for ever.
    if (isOver(shown.status)) stream?.close();
    return shown.status;
  };

  const load = async () => {
    try {
      return apply(await get(url));
    } catch (error) {
      if (!stopped(error)) showProblem($("submission-problem"), error, load);
      return null;
    }
  };

  const follow = (status) => {
    if (status === null || isOver(status)) return;
    stream = new EventSource(`/api/v1${url}/events`);
    const read = (event) => {
      try {
        return JSON.parse(event.data);
      } catch {
        return null;
      }
    };
    stream.addEventListener("submission", (event) => { const found = read(event); if (found) apply(found); });
    stream.addEventListener("text", (event) => {
      const found = read(event);
      if (found) drawStream(current?.status, textFrom(found));
    });
  };

  // The page's own stream tells of every submission: it covers for a broken second one.
  const reload = calm(load, 1000);
  live.addEventListener("submission", ({ detail }) => { if (detail.id === id && stream?.readyState !== EventSource.OPEN) reload(); });
  live.addEventListener("resync", reload);
  load().then(follow);
}

showSubmission();
