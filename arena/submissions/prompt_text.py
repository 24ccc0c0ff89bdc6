"""Puts the prompts together; the ctx and tick reference comes from the code that enforces it."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from arena.core.orders import MAX_ORDERS_PER_TICK
from arena.llm.client import Message
from arena.runtime.bot import TICK_EXAMPLE, BotRuntime
from sandbox.host import Host
from sandbox.language.modules import build
from sandbox.language.modules.services import Services
from sandbox.process.lockdown import Tripwire

_LOADING = threading.Lock()
PROMPTS = Path(__file__).resolve().parent.parent.parent / "prompts"


@dataclass(frozen=True, slots=True)
class SeasonFacts:
    """What a writer must know about the season."""

    symbols: tuple[str, ...]
    interval: float
    cash: float
    fee_bps: float
    tick_cpu: float
    delay_ticks: int = 1


def ctx_reference() -> str:
    """Return ctx's methods with their signatures and first sentences."""
    context = BotRuntime(Host(Services(), Tripwire())).context
    lines = []
    for name in context.__slots__:
        method = getattr(context, name)
        doc = (inspect.getdoc(method) or "").split("\n", maxsplit=1)[0]
        signature = str(inspect.signature(method)).replace("'", "")
        lines.append(f"- `ctx.{name}{signature}`: {doc}")
    return "\n".join(lines)


def tick_reference() -> str:
    """Return the shape of the tick dict as JSON."""
    return "```json\n" + json.dumps(TICK_EXAMPLE, indent=2) + "\n```"


def module_names() -> str:
    """Return what a bot may import."""
    # One thread at a time: loading the modules sets Python's warning filters for a moment.
    with _LOADING:
        return _module_names()


@functools.cache
def _module_names() -> str:
    return ", ".join(sorted(build(Services())))


def _template(name: str) -> Template:
    return Template((PROMPTS / name).read_text("utf-8"))


def system_message(facts: SeasonFacts) -> Message:
    """Return the first message of a conversation."""
    fee = f" plus a fee of {facts.fee_bps:g} basis points" if facts.fee_bps else ""
    filling = "the next one" if facts.delay_ticks == 1 else f"the one {facts.delay_ticks} ticks later"
    text = _template("system.md").substitute(
        filling=filling, ctx=ctx_reference(), tick=tick_reference(), modules=module_names(),
        symbols=", ".join(facts.symbols), interval=f"{facts.interval:g}", cash=f"{facts.cash:g}",
        cpu_ms=f"{facts.tick_cpu * 1000:g}", max_orders=MAX_ORDERS_PER_TICK, fee_note=fee,
    )  # fmt: skip
    return {"role": "system", "content": text}


def request_message(request: str) -> Message:
    """Return the user's strategy, fenced as data by a fence it does not contain."""
    longest = max((len(run) for run in re.findall(r"`+", request)), default=0)
    fence = "`" * max(3, longest + 1)
    text = _template("request.md").substitute(request=request, fence=fence)
    return {"role": "user", "content": text}


def revision_conversation(facts: SeasonFacts, request: str, material: Mapping[str, str]) -> list[Message]:
    """Return the conversation that asks for a new version of a bot; all of `material` is data between fences."""
    told = [request, *material.values()]
    longest = max((len(run) for text in told for run in re.findall(r"`+", text)), default=0)
    text = _template("revise.md").substitute(material, request=request, fence="`" * max(3, longest + 1))
    return [system_message(facts), {"role": "user", "content": text}]


def repair_messages(completion: str, problems: Sequence[dict[str, Any]]) -> list[Message]:
    """Return the refused answer and what is wrong with it; an empty answer is not repeated."""
    lines = [f"- line {p['line']}{_where(p)}: {p['message']} {p['hint']}" for p in problems[:30]]
    text = _template("repair.md").substitute(problems="\n".join(lines))
    answer: list[Message] = [{"role": "assistant", "content": completion}] if completion.strip() else []
    return [*answer, {"role": "user", "content": text}]


def continued_conversation(conversation: Sequence[Message], completion: str) -> list[Message]:
    """Return a conversation that asks to go on with an answer which was cut off."""
    told = _template("continue.md").substitute()
    return [*conversation, {"role": "assistant", "content": completion}, {"role": "user", "content": told}]


def _where(found: dict[str, Any]) -> str:
    """Return the tape and the tick that show a finding, "" where none does."""
    shown = [f"{name} {found[name]}" for name in ("tape", "tick") if found.get(name) not in {None, ""}]
    return f" ({', '.join(shown)})" if shown else ""


def conversation(
    facts: SeasonFacts, request: str, completion: str | None = None, problems: Sequence[dict[str, Any]] = ()
) -> list[Message]:
    """Return the whole conversation: the request, and the last answer with its findings where there is one.

    Older answers are left out: the last one is enough, and a small context holds no more.
    """
    asked = [system_message(facts), request_message(request)]
    if completion is None:
        return asked
    repair = repair_messages(completion, problems)
    if len(repair) == 1:
        # Two turns of the user in a row are refused by some servers.
        return [asked[0], {"role": "user", "content": f"{asked[1]['content']}\n{repair[0]['content']}"}]
    return [*asked, *repair]


def hash_messages(messages: Sequence[Message]) -> str:
    """Return the SHA-256 of the messages as sent."""
    return hashlib.sha256(json.dumps(list(messages), sort_keys=True).encode()).hexdigest()
