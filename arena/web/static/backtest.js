// The form of a backtest: a market file of the server or an upload, bots, rules.

import { send, write } from "./api.js";
import { $, h, showProblem } from "./dom.js";

const MOST = 8;
const boxes = () => [...document.querySelectorAll("#backtest-bots input")];

/** A number of a field, null where it is empty; a text that is no number is said. */
function read(id, label) {
  const text = $(id).value.trim().replace(",", ".");
  if (text === "") return null;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`${label} is no number: ${text}`);
  return value;
}

function listenBoxes() {
  const bound = () => {
    const full = boxes().filter(({ checked }) => checked).length >= MOST;
    for (const box of boxes()) box.disabled = full && !box.checked;
  };
  $("backtest-bots").addEventListener("change", bound);
  bound();
}

async function upload(file) {
  if (!file) return;
  showProblem($("backtest-problem"), null);
  $("tape-said").textContent = `${file.name} is sent…`;
  try {
    const tape = await send(`/tapes?name=${encodeURIComponent(file.name)}`, file);
    const known = [...$("backtest-tape").options].find(({ value }) => value === tape.name);
    if (!known) $("backtest-tape").append(h("option", { value: tape.name }, tape.name));
    $("backtest-tape").value = tape.name;
    $("tape-said").textContent = `${file.name} is there and chosen.`;
  } catch (error) {
    $("tape-said").textContent = "";
    showProblem($("backtest-problem"), error);
  }
}

function listenDrop() {
  const drop = $("tape-drop");
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); upload(event.dataTransfer.files[0]); });
  $("tape-file").addEventListener("change", ({ target }) => upload(target.files[0]));
}

$("backtest-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = $("backtest-problem");
  showProblem(problem, null);
  try {
    const bots = boxes().filter(({ checked }) => checked).map(({ value }) => value);
    const tape = $("backtest-tape").value;
    if (!tape) throw new Error("Choose a market file, or upload one.");
    if (bots.length === 0) throw new Error("Choose at least one bot.");
    const wanted = {
      bots, tape, seed: read("backtest-seed", "The seed") ?? 0, fee_bps: read("backtest-fee", "The fee"), slippage_bps: read("backtest-slippage", "The slippage"),
      starting_cash: read("backtest-cash", "The starting cash"), interval: read("backtest-interval", "Seconds a tick"),
    };
    $("backtest-button").disabled = true;
    const { address } = await write("POST", "/backtests", wanted);
    location.assign(address);
  } catch (error) {
    showProblem(problem, error);
  } finally {
    $("backtest-button").disabled = false;
  }
});

listenBoxes();
listenDrop();
