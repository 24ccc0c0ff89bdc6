"""Figures that are counted while things happen: ticks, verdicts, strategies, calls of models, answers."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.process_collector import ProcessCollector

from arena.store.models import Attempt
from arena.submissions.states import Status
from sandbox.talk.verdict import Verdict

_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_ANSWERS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_CALLS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)


class Measures:
    """Counts and times of one server since its start; safe to use from any thread."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.tick = Histogram(
            "arena_tick_duration_seconds", "Seconds of a tick, recording included", buckets=_TICKS, registry=registry
        )
        self._verdicts = _counter(registry, "arena_verdicts", "What bots did wrong, by verdict", "verdict")
        self._moves = _counter(registry, "arena_submissions", "Strategies that came to a state", "status")
        self._calls = _counter(registry, "arena_model_calls", "Calls of models, by outcome", "model", "outcome")
        self._tokens = _counter(registry, "arena_model_tokens", "Tokens of models, by kind", "model", "kind")
        self._call_seconds = Histogram(
            "arena_model_call_seconds", "Seconds of a model's call", ("model",), buckets=_CALLS, registry=registry
        )
        self._answers = Histogram(
            "arena_request_duration_seconds", "Seconds until an answer begins, by route and class of status",
            ("method", "route", "status"), buckets=_ANSWERS, registry=registry,
        )  # fmt: skip
        self._answer_of: dict[tuple[str, str, int], Histogram] = {}
        # A rate needs a figure to begin from.
        for verdict in Verdict:
            if verdict is not Verdict.OK:
                self._verdicts.labels(verdict.name)
        for status in Status:
            self._moves.labels(str(status))

    def judged(self, verdict: Verdict) -> None:
        """Count what a bot did wrong."""
        self._verdicts.labels(verdict.name).inc()

    def moved(self, submission: dict[str, Any]) -> None:
        """Count that a strategy came to a state."""
        self._moves.labels(submission["status"]).inc()

    def called(self, model: str, attempt: Attempt, *, answered: bool) -> None:
        """Count a model's call, given by the name that the arena has for it."""
        self._calls.labels(model, "answered" if answered else "failed").inc()
        self._call_seconds.labels(model).observe(attempt.seconds)
        for kind, tokens in (("prompt", attempt.prompt_tokens), ("completion", attempt.completion_tokens)):
            self._tokens.labels(model, kind).inc(tokens or 0)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Time an answer; `route` is an address with placeholders, of which there are few."""
        key = method, route, status // 100
        found = self._answer_of.get(key)
        if found is None:
            found = self._answers.labels(method, route, f"{status // 100}xx")
            self._answer_of[key] = found
        found.observe(seconds)


def _counter(registry: CollectorRegistry, name: str, words: str, *labels: str) -> Counter:
    return Counter(name, words, labels, registry=registry)
