"""Runs the published hostile bots as a server would, and looks for what must not happen."""

from __future__ import annotations

import json
import marshal
import math
import os
import re
import select
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from arena.core.exchange import Rules, settle
from arena.core.ledger import Account, mark
from arena.runtime.wire import BotActions
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.worker import Worker
from tests.sandbox.market import CASH, SYMBOLS, meta, prices_at, reply, tick

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "hostile"
RULES = Rules(CASH, 10.0, 5.0)
TICKS = 40
STRIKES = 3
_FENCE = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)
_EMPTY = marshal.dumps(compile("", "bot.py", "exec"))


@cache
def entries() -> list[dict[str, Any]]:
    """Return the manifest's entries; none where the corpus is not beside this project."""
    path = FOLDER / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8"))["entries"] if path.exists() else []


@dataclass
class Traps:
    """What a bot must not reach, made fresh for it."""

    folder: Path
    canary: str

    def __post_init__(self) -> None:
        for path in (self.folder / "secret", self.folder / "arena.db"):
            path.write_text(self.canary, encoding="ascii")
            path.chmod(0o600)

    @property
    def canary_file(self) -> Path:
        return self.folder / "canary"

    def arm(self, source: bytes) -> bytes:
        """Put the traps into a source."""
        places = {
            "CANARY_FILE": self.canary_file,
            "SECRET_FILE": self.folder / "secret",
            "DB_FILE": self.folder / "arena.db",
            "SYMBOL": SYMBOLS[0],
            "SYMBOL2": SYMBOLS[1],
            "VICTIM_NAME": "Honest",
            "FAKE_API_KEY": self.canary,
        }
        for name, value in places.items():
            source = source.replace(f"@@{name}@@".encode(), str(value).encode())
        return source


@dataclass
class Story:
    """What became of one hostile bot."""

    refused: bool = False
    started: bool = False
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    seen: list[str] = field(default_factory=list)
    errors: int = 0
    strikes: list[str] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)
    left_process: bool = False

    def breaches(self, traps: Traps) -> list[str]:
        """Return what must not have happened; an empty list is the promise."""
        found = [f"said {text[:200]}" for text in self.seen if text.startswith("BREACH ")]
        secret = traps.canary
        found += ["shows the secret" for text in self.seen if secret in text or secret[::-1] in text]
        if traps.canary_file.exists():
            found.append("made the canary file")
        if self.left_process:
            found.append("left a process")
        return found + self.ledger


def sources_of(entry: dict[str, Any]) -> list[bytes]:
    """Return an entry's hostile sources; generated ones come from expressions of the manifest."""
    if entry["kind"] == "file":
        return [(FOLDER / entry["file"]).read_bytes()]
    if entry["kind"] == "generated":
        return [_encoded(eval(entry["generator"]))]
    prompts = json.loads((FOLDER / entry["file"]).read_text(encoding="utf-8"))["prompts"]
    (prompt,) = (prompt for prompt in prompts if prompt["id"] == entry["id"])
    answers = [*prompt["hostile_completions"], *map(eval, prompt["completion_generators"])]
    return [_encoded(_code_in(answer)) for answer in answers]


def _code_in(answer: str) -> str:
    """Return the code in a model's answer as the most gullible reader would find it."""
    fenced = _FENCE.search(answer)
    if fenced:
        return fenced.group(1)
    try:
        return str(json.loads(answer)["code"])
    except (ValueError, KeyError, TypeError):
        return answer


def _encoded(source: str | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")


def run_checked(pool: Pool, source: bytes) -> Story:
    """Check a source, and run it if it is accepted."""
    began = time.monotonic()
    checked = pool.check(source)
    story = Story(refused=not checked.accepted, seconds=time.monotonic() - began)
    story.violations = [violation["rule"] for violation in checked.violations]
    story.seen = [violation["message"] for violation in checked.violations]
    if checked.accepted:
        story.seen.append(str(checked.facts["name"]))
        _play(*pool.spawn(checked.program, meta()), story)
    return story


def run_unchecked(pool: Pool, source: bytes) -> Story:
    """Run a source that no check has seen, compiled plainly."""
    story = Story()
    _play(*pool.spawn(marshal.dumps(compile(source, "bot.py", "exec")), meta()), story)
    return story


def run_naked(pool: Pool, source: bytes) -> Story:
    """Run a source with Python's real built-ins; the pool's guest must be `Naked`."""
    story = Story()
    _play(*pool.spawn(_EMPTY, meta() + b"\0" + source), story)
    return story


def _play(worker: Worker, start: Any, story: Story) -> None:
    handle = os.pidfd_open(worker.pid)
    try:
        _ticks(worker, start, story)
    finally:
        worker.close()
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        story.left_process = not waiting.poll(60_000)
        os.close(handle)


def _ticks(worker: Worker, start: Any, story: Story) -> None:
    (ready,) = gather([start])
    if ready.payload is None:
        story.strikes.append(ready.verdict.name)
        return
    story.started = True
    account, pending = Account(CASH), _hear(reply(ready).deeds.get(0), story)
    for index in range(TICKS):
        prices = dict(zip(SYMBOLS, prices_at(index), strict=True))
        settled = settle("bot", account, pending, prices, RULES)
        account = settled.account
        _audit(account, prices, story)
        answer = tick(worker, index)
        if answer.payload is None:
            story.strikes.append(answer.verdict.name)
            story.seen.append(answer.reason)
            if not worker.alive or len(story.strikes) == STRIKES or answer.verdict.quarantines:
                return
            pending = []
            continue
        pending = _hear(reply(answer).deeds.get(0), story)


def _hear(deeds: BotActions | None, story: Story) -> list:
    if deeds is None:
        return []
    story.seen += [text for _, text in deeds.logs]
    story.seen += [error.text for error in deeds.errors]
    story.errors += len(deeds.errors)
    return deeds.orders


def _audit(account: Account, prices: dict[str, float], story: Story) -> None:
    value = mark(account, prices)
    gain = account.realized + value.unrealized - account.fees
    numbers = [account.cash, account.realized, account.fees, value.equity, *account.sizes().values()]
    if not all(math.isfinite(number) for number in numbers):
        story.ledger.append("a number that is not finite")
    elif account.cash < 0 or any(size <= 0 for size in account.sizes().values()):
        story.ledger.append("a negative balance")
    elif not math.isclose(value.equity - CASH, gain, rel_tol=1e-9, abs_tol=1e-6):
        story.ledger.append("money that came from nowhere")
