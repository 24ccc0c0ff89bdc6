// The form of a tournament: bots, made-up windows, market files, rules.

import { write } from "./api.js";
import { $, showProblem } from "./dom.js";
import { boundBoxes, checked, read } from "./fields.js";

$("tournament-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = $("tournament-problem");
  showProblem(problem, null);
  try {
    const wanted = {
      bots: checked("tournament-bots"), tiers: checked("tournament-tiers"), tapes: $("tournament-tapes") ? checked("tournament-tapes") : [],
      rounds: read("tournament-rounds", "Rounds") ?? undefined, ticks: read("tournament-ticks", "Ticks a round") ?? undefined, seed: read("tournament-seed", "The seed") ?? 0,
      fee_bps: read("tournament-fee", "The fee"), slippage_bps: read("tournament-slippage", "The slippage"), delay_ticks: read("tournament-delay", "The delay"),
    };
    if (wanted.bots.length < 2) throw new Error("Choose at least two bots.");
    if (wanted.tiers.length + wanted.tapes.length === 0) throw new Error("Choose a made-up window or a market file.");
    $("tournament-button").disabled = true;
    const { address } = await write("POST", "/tournaments", wanted);
    location.assign(address);
  } catch (error) {
    showProblem(problem, error);
  } finally {
    $("tournament-button").disabled = false;
  }
});

boundBoxes("tournament-bots", 8);
if ($("tournament-tapes")) boundBoxes("tournament-tapes", 4);
