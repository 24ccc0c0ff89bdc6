"""Who writes a child: a model from its parent's code, results and findings; without a model, changed numbers."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arena.core.text import clean_line
from arena.errors import GenerationError
from arena.llm.client import Cancellation, Message
from arena.llm.models import Model
from arena.llm.template.writer import UNDERSTOOD, Written, write_bot
from arena.submissions import prompt_text as words
from arena.submissions.evolution.trial import Kind
from arena.submissions.extract import extract_bot

Row = dict[str, Any]

OTHER_NUMBERS, RULE_BASED = "other numbers", "rule-based writer"
_TOKEN = 4  # characters, about; where a server tells no count
_FINDINGS, _KINDS = 12, 6
# Children of another model of the same words would be alike.
_TEMPERATURE = 0.8
_STEP = 0.4  # standard deviation of the logarithm of a changed number
_FRESH = 0.2  # share of children that the rule-based writer begins anew
_SHOWN = ("sharpe", "return_pct", "max_drawdown_pct", "turnover", "trades", "errors", "periods")
_FIXED = {"NAME", "SYMBOLS", "CLAIMS"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking for one child: a source, or why there is none; and what it took.

    `answered` says that the model has answered, with a bot or without.
    """

    model: str
    source: str | None
    error: str
    completion: str
    tokens: int
    usd: float | None
    estimated: bool = False
    answered: bool = True


def ask(
    model: Model, messages: Sequence[Message], cancellation: Cancellation, most_tokens: int | None = None
) -> Answer:
    """Ask a model for a child; what fails is an answer as well, with what it may have cost.

    `most_tokens` shortens the longest answer that is asked for.
    """
    written: list[str] = []
    room = 1.0 if most_tokens is None else min(1.0, most_tokens / model.server.max_tokens)
    try:
        found = model.server.complete(
            model.model, messages, room=room, temperature=_TEMPERATURE, on_text=written.append,
            cancellation=cancellation,
        )  # fmt: skip
    except GenerationError as error:
        text = "".join(written)
        # It was written and will be charged, although it is of no use.
        asked, said = (guessed_tokens(messages), -(-len(text) // _TOKEN)) if text else (0, 0)
        return Answer(
            model.name, None, clean_line(str(error), 600), text, asked + said, model.cost(asked, said), bool(text),
            answered=False,
        )  # fmt: skip
    estimated = found.prompt_tokens is None or found.completion_tokens is None
    asked = guessed_tokens(messages) if found.prompt_tokens is None else found.prompt_tokens
    said = -(-len(found.text) // _TOKEN) if found.completion_tokens is None else found.completion_tokens
    taken = extract_bot(found.text.replace("\0", ""))
    wrong = ""
    if found.leaked:
        wrong = "The answer repeats the key of the model server; it was masked, and the child is refused."
    elif found.trouble:
        wrong = f"The model gave no text: {found.trouble}."
    elif found.cut and not taken.closed:
        wrong = "The answer was cut off at its length limit."
    elif taken.source is None:
        wrong = "There is no bot in the answer."
    source = None if wrong else taken.source
    return Answer(model.name, source, wrong, found.text, asked + said, model.cost(asked, said), estimated)


def guessed_tokens(messages: Sequence[Message]) -> int:
    """Return about how many tokens a conversation has."""
    return sum(len(message["content"]) for message in messages) // _TOKEN


def request_for(facts: words.SeasonFacts, parent: Row, empty: Sequence[Kind]) -> list[Message]:
    """Return the conversation that asks for a child; nothing of the held-out tapes is in it."""
    # Some of all styles: the kinds are in the order of their styles.
    some = dict.fromkeys(empty[place * len(empty) // _KINDS] for place in range(_KINDS if empty else 0))
    lacking = "; ".join(", ".join(kind) for kind in some)
    wanted = (
        "A better version, by its Sharpe ratio a period after costs. The results are of the train tapes. Change one "
        "idea, and say in a comment why it should hold on tapes that nobody has seen: no dates, no prices by heart."
    )
    if lacking:
        wanted += f" Welcome are kinds of bots that are not there yet (what it buys, turnover, drawdown): {lacking}."
    results = {name: parent["train"][name] for name in _SHOWN if parent["train"].get(name) is not None}
    return words.revision_conversation(facts, wanted, {
        "source": parent["source"], "claims": json.dumps(parent["claims"]),
        "results": json.dumps({**results, "kind": parent["kind"], "refused": parent["refused"] or None}),
        "findings": "\n".join(parent["findings"][:_FINDINGS]) or "none", "log": "\n".join(parent["log"]) or "empty",
    })  # fmt: skip


# -- without a model ----------------------------------------------------------------------------------------------


def variation(
    source: str, symbols: Sequence[str], interval: float, chance: np.random.Generator, delay_ticks: int = 1
) -> tuple[str, str]:
    """Return a child without a model, and what made it: other numbers in its parent, or the rule-based writer.

    The same draws give the same child.
    """
    # Python ends a line at each of these; the places of numbers count from the beginnings of lines.
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    places = _numbers(source)
    if not places or chance.random() < _FRESH:
        for place in chance.permutation(len(UNDERSTOOD)):
            written = write_bot(UNDERSTOOD[place], symbols, interval, delay_ticks=delay_ticks)
            if isinstance(written, Written):
                return changed(written.source, _numbers(written.source), chance), RULE_BASED
    return changed(source, places, chance), OTHER_NUMBERS


def changed(source: str, places: Sequence[tuple[int, int, float | int]], chance: np.random.Generator) -> str:
    """Return the source with one or two of these numbers changed; unchanged where there are none."""
    if not places:
        return source
    count = min(len(places), int(chance.integers(1, 3)))
    data = source.encode()
    for place in sorted(chance.choice(len(places), count, replace=False).tolist(), reverse=True):
        begin, end, value = places[place]
        data = data[:begin] + _moved(value, chance).encode() + data[end:]
    return data.decode()


def _moved(value: float, chance: np.random.Generator) -> str:
    factor = float(np.exp(chance.normal(0.0, _STEP)))
    if isinstance(value, int):
        moved = max(1, round(value * factor))
        return str(moved if moved != value else value + 1)
    return repr(float(f"{value * factor:.4g}"))


def _numbers(source: str) -> list[tuple[int, int, float | int]]:
    """Return begin, end (in bytes) and value of the numbers that may change, in the order of the file.

    Those that stand at the top level by a name; where there are none, those of the functions, 0 and 1 apart.
    """
    tree = ast.parse(source)
    named = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and not _names(node) & _FIXED]
    found = _constants(source, named)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return found or [each for each in _constants(source, functions) if each[2] != 1]


def _names(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def _constants(source: str, nodes: Sequence[ast.stmt]) -> list[tuple[int, int, float | int]]:
    starts, at = [], 0
    for line in source.encode().split(b"\n"):
        starts.append(at)
        at += len(line) + 1
    found = []
    for top in nodes:
        for node in ast.walk(top):
            if not isinstance(node, ast.Constant) or not node.value:
                continue
            if isinstance(node.value, int | float) and not isinstance(node.value, bool):
                assert node.end_lineno is not None
                assert node.end_col_offset is not None
                begin = starts[node.lineno - 1] + node.col_offset
                found.append((begin, starts[node.end_lineno - 1] + node.end_col_offset, node.value))
    return sorted(found)
