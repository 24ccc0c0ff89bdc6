"""What a verdict costs a bot: strikes, restarts with back-off, quarantine.

Pure; the live engine and the replay ask the same object. Exceptions of a bot never count here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.talk.verdict import Verdict

STRIKES = 3
STRIKE_WINDOW = 100
BACK_OFF = (1, 4, 16)
MAX_RESTARTS = 2


class Action(StrEnum):
    """What to do with a bot after a verdict."""

    GO_ON = "go on"
    RESTART = "restart"
    QUARANTINE = "quarantine"


@dataclass(slots=True)
class StrikeRecord:
    """The strikes and restarts of one bot."""

    strikes: deque[int] = field(default_factory=deque)
    restarts: int = 0
    restart_at: int = 0

    def judge(self, verdict: Verdict, tick: int, *, dead: bool) -> Action:
        """Take one verdict at a tick; `dead` says whether the worker is gone."""
        if verdict.quarantines:
            return Action.QUARANTINE
        if verdict.strikes:
            self.strikes.append(tick)
        while self.strikes and self.strikes[0] <= tick - STRIKE_WINDOW:
            self.strikes.popleft()
        if len(self.strikes) >= STRIKES:
            return Action.QUARANTINE
        return self._restart(tick) if dead else Action.GO_ON

    def take_up(self, events: Iterable[tuple[int, str, str]]) -> None:
        """Take journaled events (tick, event, "VERDICT: reason"); none of them is judged again."""
        for tick, event, detail in events:
            verdict = Verdict.__members__.get(detail.partition(":")[0], Verdict.OK)
            if event in {"late", "killed"} and verdict.strikes:
                self.strikes.append(tick)
            if event == "killed" and self.restarts < MAX_RESTARTS:
                self._restart(tick)

    def _restart(self, tick: int) -> Action:
        if self.restarts >= MAX_RESTARTS:
            return Action.QUARANTINE
        self.restart_at = tick + BACK_OFF[self.restarts]
        self.restarts += 1
        return Action.RESTART
