// The form of a backtest: a market file of the server or an upload, bots, rules.

import { send, write } from "./api.js";
import { $, h, showProblem } from "./dom.js";
import { boundBoxes, checked, read } from "./fields.js";

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
    const bots = checked("backtest-bots");
    const tape = $("backtest-tape").value;
    if (!tape) throw new Error("Choose a market file, or upload one.");
    if (bots.length === 0) throw new Error("Choose at least one bot.");
    const wanted = {
      bots, tape, seed: read("backtest-seed", "The seed") ?? 0, fee_bps: read("backtest-fee", "The fee"), slippage_bps: read("backtest-slippage", "The slippage"),
      starting_cash: read("backtest-cash", "The starting cash"), interval: read("backtest-interval", "Seconds a tick"),
      delay_ticks: read("backtest-delay", "The delay"),
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

boundBoxes("backtest-bots", 8);
listenDrop();
