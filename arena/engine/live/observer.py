"""What the clock tells of itself while it runs, for figures and for whoever watches over the process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.talk.verdict import Verdict


def _nothing(*_: object) -> None:
    """Take it and do nothing."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Functions that the engine calls on its own thread; each must be quick.

    `beat`: the engine's thread is alive, at least once a second. `ticked`: a tick took so many seconds. `judged`: a
    bot did something wrong.
    """

    beat: Callable[[], None] = _nothing
    ticked: Callable[[float], None] = _nothing
    judged: Callable[[Verdict], None] = _nothing
