"""The loop of an evolution: in each round children of the archive's bots are written, tried, and placed.

Parents are drawn at the beginning of a round and children are placed in the order of their numbers, so that without a
model the same conduct gives the same evolution, stopped in between or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

import numpy as np

from arena.errors import GenerationError, RefusedError
from arena.llm.client import Cancellation, Message
from arena.llm.models import Model
from arena.submissions.behaviour.claims import Claims, claims_of_answer, claims_of_source
from arena.submissions.evolution.archive import Archive
from arena.submissions.evolution.budget import Budget, amount
from arena.submissions.evolution.folder import Folder
from arena.submissions.evolution.trial import Bench, Trial
from arena.submissions.evolution.writers import Answer, ask, guessed_tokens, request_for, variation
from arena.submissions.prompt_text import SeasonFacts

Row = dict[str, Any]
Told = Callable[[float], None]

_LEAST_ANSWER = 256  # tokens; a shorter one can hold no bot
_MOST_FAILURES = 3
_LOOK = 0.2  # seconds between two looks for an interruption


@dataclass(frozen=True, slots=True)
class Plan:
    """What an evolution is to do: rounds, children a round, who writes (nobody: changed numbers), and for how much."""

    rounds: int
    children: int
    models: tuple[Model, ...]
    budget: Budget | None
    seed: int


class Evolution:
    """One evolution in its folder; `stopped` says why it ended before its rounds were over, "" where it did not."""

    def __init__(self, folder: Folder, bench: Bench, facts: SeasonFacts, plan: Plan) -> None:
        self.stopped = ""
        self._folder, self._bench, self._facts, self._plan = folder, bench, facts, plan
        self._archive = Archive()
        self._hashes: dict[str, int] = {}
        self._failures = 0
        self._lock = Lock()
        for line in folder.children:
            self._take(line)

    def run(self, starters: Sequence[tuple[str, str]], told: Told = lambda _: None) -> None:
        """Try the first bots (file and source), then play the rounds that are left.

        RefusedError where one of the first bots is refused by the check. After an interruption everything that was
        answered or tried is in the folder.
        """
        done = {line["n"] for line in self._folder.children}
        for number, (file, source) in enumerate(starters):
            if number not in done:
                self._begin(number, file, source)
        first, total = len(starters), self._plan.rounds * self._plan.children
        for round_number in range(self._plan.rounds):
            numbers = range(
                first + round_number * self._plan.children, first + (round_number + 1) * self._plan.children
            )
            # As the archive was when the round began, also where it goes on in the middle.
            archive = Archive()
            for line in self._folder.children:
                if line["n"] < numbers.start:
                    archive.place(line)
            missing = [number for number in numbers if number not in done]
            for number in self._written(missing, archive):
                self._try(number)
                told((number + 1 - first) / total)
            if self.stopped:
                return

    # -- one round ----------------------------------------------------------------------------------------------

    def _written(self, numbers: Sequence[int], archive: Archive) -> list[int]:
        """Have the children of these numbers written; return those that were."""
        known = {line["n"] for line in self._folder.answers if not line["failed"]}
        open_numbers = [number for number in numbers if number not in known]
        parents = {number: archive.parent(np.random.default_rng([self._plan.seed, number])) for number in open_numbers}
        if not self._plan.models:
            for number in open_numbers:
                chance = np.random.default_rng([self._plan.seed, number, 1])
                facts, parent = self._facts, parents[number]["source"]
                source, by = variation(parent, facts.symbols, facts.interval, chance, facts.delay_ticks)
                self._keep(number, parents[number]["n"], Answer(by, source, "", "", 0, 0.0))
        else:
            self._asked(open_numbers, parents, archive)
        known = {line["n"] for line in self._folder.answers if not line["failed"]}
        return [number for number in numbers if number in known]

    def _asked(self, numbers: Sequence[int], parents: dict[int, Row], archive: Archive) -> None:
        models, left = self._plan.models, list(numbers)
        at_once = min(8, len(models) * min(model.concurrency for model in models))
        while left and not self.stopped:
            wave = left[: self._affordable(at_once)]
            if not wave:
                return
            left = left[len(wave) :]
            # A round goes through the models in turn.
            conversations = {n: request_for(self._facts, parents[n], archive.empty()) for n in wave}
            calls = [
                (n, models[n % len(models)], conversations[n], self._longest(models[n % len(models)], conversations[n],
                 len(wave))) for n in wave
            ]  # fmt: skip
            self._ask_all(calls, parents)
            if self._failures >= _MOST_FAILURES:
                last = next(line["error"] for line in reversed(self._folder.answers) if line["failed"])
                self.stopped = f"The model gave no answer {_MOST_FAILURES} times in a row: {last}"

    def _ask_all(self, calls: Sequence[tuple[int, Model, list[Message], int | None]], parents: dict[int, Row]) -> None:
        """Make calls at the same time; an interruption breaks them off, and what had come is counted."""
        cancellation = [Cancellation() for _ in calls]
        with ThreadPoolExecutor(len(calls)) as threads:
            # Imported by one thread, before several need it at once.
            import openai  # noqa: F401

            futures = [
                threads.submit(self._call, call, parents[call[0]]["n"], each)
                for call, each in zip(calls, cancellation, strict=True)
            ]
            try:
                left = set(futures)
                while left:
                    # An interruption that another thread takes is seen by this one when it wakes.
                    left = wait(left, timeout=_LOOK).not_done
                for future in futures:
                    future.result()
            except BaseException:
                for each in cancellation:
                    each.cancel()
                raise

    def _call(
        self, call: tuple[int, Model, list[Message], int | None], parent: int, cancellation: Cancellation
    ) -> None:
        number, model, messages, most = call
        self._keep(number, parent, ask(model, messages, cancellation, most))

    def _keep(self, number: int, parent: int, answer: Answer) -> None:
        # An answer that holds no bot was paid for and is a child that failed; a call that failed is made again.
        failed = answer.source is None and not answer.answered
        with self._lock:
            self._failures = self._failures + 1 if failed else 0
            self._folder.add_answer({"n": number, "parent": parent, "failed": failed, **asdict(answer)})

    # -- the budget ---------------------------------------------------------------------------------------------

    @property
    def _budget(self) -> Budget:
        assert self._plan.budget is not None
        return self._plan.budget

    def _affordable(self, at_once: int) -> int:
        """Return how many calls may be made now: as many as the budget bears, each as dear as those before.

        Until one has come, one at a time.
        """
        if self._plan.budget is None:
            return at_once
        unit, spent = self._budget.unit, self.spent()[self._budget.unit]
        dear = [line[unit] for line in self._folder.answers if line["answered"] and line[unit]]
        left = self._budget.limit - spent
        mean = sum(dear) / len(dear) if dear else 0.0
        # 0.3 of a dollar holds three answers of 0.1, whatever rounding says.
        bearable = min(at_once, int(left * (1.0 + 1e-9) / mean)) if mean else int(left > 0.0)
        if not bearable:
            self.stopped = f"The budget of {self._budget.words} is used up: {self._spent_words()}."
        return bearable

    def _longest(self, model: Model, messages: Sequence[Message], wave: int) -> int | None:
        """Return the longest answer that one of so many calls may ask for, None where the budget sets no bound.

        What one call needs at the least is asked for, so that a budget is exceeded by the smallest answers at most.
        """
        if self._plan.budget is None:
            return None
        left = (self._budget.limit - self.spent()[self._budget.unit]) / wave
        asked = guessed_tokens(messages)
        if self._budget.unit == "tokens":
            return max(_LEAST_ANSWER, int(left - asked))
        if not model.price_out:
            return None
        return max(_LEAST_ANSWER, int((left - (model.cost(asked, 0) or 0.0)) / (model.cost(0, 1) or 1.0)))

    def spent(self) -> dict[str, float]:
        """Return the tokens and US dollars that all answers have taken, failed ones too."""
        return {
            "tokens": float(sum(line["tokens"] for line in self._folder.answers)),
            "usd": float(sum(line["usd"] or 0.0 for line in self._folder.answers)),
        }

    def _spent_words(self) -> str:
        return f"{amount(self.spent()[self._budget.unit], self._budget.unit)} spent"

    # -- one child ----------------------------------------------------------------------------------------------

    def _begin(self, number: int, file: str, source: str) -> None:
        trial = self._bench.tried(source, claims_of_source(source)[0])
        if not trial.train:
            raise RefusedError(f"{file} cannot be a parent: {trial.refused}", [])
        self._add(number, None, "", source, trial)

    def _try(self, number: int) -> None:
        answer = next(line for line in self._folder.answers if line["n"] == number and not line["failed"])
        source = answer["source"]
        if source is None:
            self._add(number, answer["parent"], answer["model"], "", Trial(refused=answer["error"]))
            return
        twin = self._hashes.get(_hash(source))
        if twin is not None:
            same = next(line for line in self._folder.children if line["n"] == twin)
            refused = f"It is the same program as number {twin}."
            self._add(number, answer["parent"], answer["model"], source, Trial(same["name"], refused))
            return
        claims, notes = Claims(), list[str]()
        # What a file claims of itself is not true any more with other numbers.
        if answer["completion"]:
            claims, notes = claims_of_answer(answer["completion"])
            if not claims.made:
                claims, notes = claims_of_source(source)
        self._add(number, answer["parent"], answer["model"], source, self._bench.tried(source, claims, notes))

    def _add(self, number: int, parent: int | None, model: str, source: str, trial: Trial) -> None:
        # Of a round's answers, those that have been tried; what failed on the way was paid for too.
        tried = {line["n"] for line in self._folder.children} | {number}
        costs = [line for line in self._folder.answers if line["n"] in tried or (line["failed"] and line["n"] < number)]
        line = {
            "n": number, "parent": parent, "model": model, "source": source, **asdict(trial),
            "spent_tokens": sum(each["tokens"] for each in costs),
            "spent_usd": sum(each["usd"] or 0.0 for each in costs),
        }  # fmt: skip
        self._take(line)
        self._folder.add_child(line)

    def _take(self, line: Row) -> None:
        if line["source"]:
            self._hashes.setdefault(_hash(line["source"]), line["n"])
        line["best_of_kind"] = self._archive.place(line)


def _hash(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def check_budget(models: Sequence[Model], budget: Budget | None) -> None:
    """Refuse models without a budget, and dollars where a price is not known; GenerationError says what to do."""
    if not models:
        return
    names = ", ".join(model.name for model in models)
    if budget is None:
        raise GenerationError(f"{names} may cost money: name a budget, as in --budget 2usd or --budget 200000tokens.")
    unknown = [model.name for model in models if model.price_in is None or model.price_out is None]
    if budget.unit == "usd" and unknown:
        raise GenerationError(
            f"The price of {', '.join(unknown)} is not known: set price_in and price_out in arena.toml, or give the "
            "budget in tokens."
        )
