// Source with line numbers, and what the validator says about its lines.

import { h } from "./dom.js";

/** Lines as the parser counts them; a final newline ends the last line, it does not start another. */
export function linesOf(source) {
  const lines = String(source ?? "").split(/\r\n|\r|\n/);
  if (lines.length > 1 && lines.at(-1) === "") lines.pop();
  return lines;
}

function remark({ rule, message, hint }) {
  return [h("span", { class: "violation-message" }, message ?? ""),
    hint ? h("span", { class: "violation-hint" }, hint) : null,
    rule ? h("code", { class: "violation-rule" }, rule) : null];
}

/** Numbered source; each violation stands under its line. */
export function codeView(source, violations = []) {
  const lines = linesOf(source);
  const rows = lines.map((text, index) => {
    const mine = violations.filter(({ line }) => line === index + 1);
    return [
      h("div", { class: mine.length > 0 ? "code-line marked" : "code-line", "data-line": index + 1 },
        h("span", { class: "line-number", "data-n": index + 1, "aria-hidden": "true" }), h("span", { class: "line-text" }, text)),
      mine.map((violation) => h("div", { class: "code-remark" }, h("div", null, remark(violation))))];
  });
  return h("div", { class: "code" }, rows);
}

/**
 * Violations as a list: line number, the line itself, message and hint.
 *
 * `jump(line)` makes the line numbers buttons that lead to the line.
 */
export function violationList(source, violations, jump) {
  const lines = linesOf(source);
  return h("ol", { class: "violations", "aria-label": "What the validator refuses" }, violations.map((violation) => {
    const { line } = violation;
    const place = line ? `Line ${line}` : "File";
    const text = line ? lines[line - 1]?.trim() : null;
    return h("li", { "data-line": line },
      jump && line ? h("button", { type: "button", class: "link", click: () => jump(line) }, place) : h("span", { class: "violation-line" }, place),
      text ? h("code", { class: "violation-source" }, text) : null, remark(violation));
  }));
}

const KINDS = { "+": "added", "-": "removed", "@": "place" };
/** A unified diff, line by line. */
export const diffView = (diff) => h("div", { class: "code diff" }, String(diff).split("\n").map((line) => h("div", { class: "diff-line", "data-kind": KINDS[line[0]] ?? "same" }, line)));
