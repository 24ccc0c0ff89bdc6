"""Gets the last prices of an endpoint while its stream runs already, so that nothing lies between the two."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Sequence

from arena.feeds.alpaca.manner import Manner, Place
from arena.feeds.alpaca.rest import LatestPrices, Question, RefusalError
from arena.feeds.dialling import back_off

log = logging.getLogger("arena.feeds.alpaca")

_Take = Callable[[bytes], object]


class Recall:
    """The question for an endpoint's last prices, asked anew on each connection."""

    def __init__(self, place: Place, manner: Manner, counts: Counter[str]) -> None:
        self._place = place
        self._rest = manner.rest
        self._timing = manner.timing
        self._counts = counts
        self._task: asyncio.Task[None] | None = None

    def begin(self, symbols: Sequence[str], take: _Take) -> None:
        """Ask in the background and hand the answers to `take`, where the endpoint has a REST side."""
        if self._rest is not None and self._place.latest is not None:
            asking = self._ask(self._rest, self._place.latest, symbols, take)
            self._task = asyncio.create_task(asking, name=f"last prices of {self._place.label}")

    async def end(self) -> None:
        """Ask no more; a defect of ours comes out here."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _ask(self, rest: LatestPrices, question: Question, symbols: Sequence[str], take: _Take) -> None:
        """Ask until there is an answer: the stream alone may have no price until the market opens."""
        for failures in itertools.count():
            try:
                answers = await rest.ask(question, symbols)
            except RefusalError as refusal:
                self._note(refusal, failures)
                if refusal.final:
                    return
                delay = back_off(failures, self._timing.first_delay, self._timing.max_delay)
                await asyncio.sleep(max(delay, refusal.stay_away))
            else:
                self._counts["recalls"] += 1
                for answer in answers:
                    take(answer)
                return

    def _note(self, refusal: RefusalError, failures: int) -> None:
        self._counts["recalls_refused"] += 1
        level = logging.INFO if failures else logging.WARNING
        log.log(level, "Alpaca does not tell the last prices of %s: %s", self._place.label, refusal)
