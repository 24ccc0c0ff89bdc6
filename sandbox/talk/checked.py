"""What the checker found in a source; untrusted, because the source has run in the checker, so it is read strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sandbox.language.rules import RULES, violation
from sandbox.talk.plain_text import plain_text
from sandbox.talk.protocol import unpack_pair
from sandbox.talk.request import WorkerReply

_MOST_VIOLATIONS, _MOST_WARNINGS = 200, 50
# Characters of one text.
_TEXT = 600
# More than the lines or columns of any source.
_FAR = 1_000_000

Violations = tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Violations as JSON objects; or facts about the bot, its marshalled code, and warnings of what was left out."""

    violations: Violations
    facts: dict[str, object]
    program: bytes
    # One sentence for each line that was left out because it has no effect.
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Say whether the source may run."""
        return not self.violations


def refused(*violations: dict[str, object]) -> CheckResult:
    """Return a refusal with these violations."""
    return CheckResult(violations, {}, b"")


def read_checked(reply: WorkerReply) -> CheckResult:
    """Read a checker's reply; one that cannot be read, or is missing, refuses the source."""
    if reply.payload is None:
        return refused(violation("load-limit", 1, 1, reply.reason).as_dict())
    try:
        text, program = unpack_pair(reply.payload)
        told: object = json.loads(text)
        violations = tuple(_read_violation(item) for item in _list_of(told, "violations")[:_MOST_VIOLATIONS])
        warnings = tuple(plain_text(str(item), _TEXT) for item in _list_of(told, "warnings")[:_MOST_WARNINGS])
        facts = _object(_object(told)["facts"])
    except (ValueError, ArithmeticError, LookupError, RecursionError, TypeError):
        reason = "answered nonsense while it was being loaded"
        return refused(violation("load-limit", 1, 1, reason).as_dict())
    return CheckResult(violations, facts, program, warnings)


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError("no JSON object")
    return value


def _list_of(value: object, key: str) -> list[object]:
    found = _object(value)[key]
    if not isinstance(found, list):
        raise TypeError("no JSON list")
    return found


def _read_violation(value: object) -> dict[str, object]:
    item = _object(value)
    rule = str(item["rule"])
    return {
        "line": _place(item["line"]),
        "column": _place(item["column"]),
        "rule": rule if rule in RULES else "load-failed",
        **{key: plain_text(str(item[key]), _TEXT) for key in ("message", "hint")},
    }


def _place(value: object) -> int:
    if not isinstance(value, int | float):
        raise TypeError("no number")
    return min(max(1, int(value)), _FAR)
