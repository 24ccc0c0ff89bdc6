"""How a Manifold market ended, and what a share is worth by that.

A yes/no market says YES, NO, MKT (a probability) or CANCEL. In a multiple-choice market either each
answer has an outcome of its own of these kinds, or the market names the answer that won, or `resolutions`
holds the weights of several, or it is cancelled as a whole. A market read by REST may say that there are
several winners and not which: then nothing is known until the probabilities say it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from arena.feeds.manifold.values import fields_of, number_of, share_of, text_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a share is worth in the end, None where everybody gets back what it cost."""

    price: float | None
    detail: str


CANCELLED = Outcome(None, "Manifold cancelled the market; holdings are worth what they cost.")


def own_outcome(body: Mapping[str, Any]) -> Outcome | None:
    """Return how a yes/no market, or an answer with an outcome of its own, has ended; None if not yet."""
    word = text_of(body.get("resolution"))
    if not word:
        return None
    if word == "CANCEL":
        return CANCELLED
    if word in {"YES", "NO"}:
        return Outcome(1.0 if word == "YES" else 0.0, f"Manifold resolved it {word}.")
    told = (share_of(body.get(key)) for key in ("resolutionProbability", "prob", "probability"))
    share = next((share for share in told if share is not None), None)
    return None if share is None else shared(share)


def shared(share: float) -> Outcome:
    """Return the outcome that pays a part of the whole."""
    return Outcome(share, f"Manifold resolved it to {share:.4g}.")


def chosen_outcomes(body: Mapping[str, Any], answers: Collection[str]) -> dict[str, Outcome]:
    """Return, by answer, how a market ended that chose among its answers; empty where it does not say."""
    word = text_of(body.get("resolution"))
    if word == "CANCEL":
        return dict.fromkeys(answers, CANCELLED)
    weights = {answer: number_of(weight) or 0.0 for answer, weight in fields_of(body.get("resolutions")).items()}
    if word in answers and not weights:
        weights = {word: 1.0}
    total = sum(weights.values())
    if total <= 0.0 or min(weights.values()) < 0.0:
        return {}
    return {answer: _won(weights.get(answer, 0.0) / total) for answer in answers}


def _won(share: float) -> Outcome:
    if share in {0.0, 1.0}:
        return Outcome(share, "Manifold chose this answer." if share else "Manifold chose another answer.")
    return shared(share)
