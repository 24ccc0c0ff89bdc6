"""The checker's word on a source; hostile once the source has run in it, so it is read strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sandbox.language.rules import RULES, violation
from sandbox.talk.plain_text import plain_text
from sandbox.talk.protocol import unpack_pair
from sandbox.talk.request import WorkerReply

_TEXT, _WARNINGS = 600, 50
# More than the lines or columns of any source.
_FAR = 1_000_000


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The checker's word on a source: violations as dicts, or facts and a program; and what it left out."""

    violations: tuple[dict[str, Any], ...]
    facts: dict[str, Any]
    program: bytes
    # One sentence each, of lines that were left out as of no use.
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Say whether the source may run."""
        return not self.violations


def refused(*violations: dict[str, Any]) -> CheckResult:
    """Return a refusal with these violations."""
    return CheckResult(violations, {}, b"")


def read_checked(answer: WorkerReply) -> CheckResult:
    """Read a checker's answer, which is hostile once the source has run in it."""
    if answer.payload is None:
        return refused(violation("load-limit", 1, 1, answer.reason).as_dict())
    try:
        told, program = unpack_pair(answer.payload)
        head = json.loads(told)
        violations = tuple(_clean_violation(item) for item in head["violations"][:200])
        warnings = tuple(plain_text(str(text), _TEXT) for text in head["warnings"][:_WARNINGS])
        facts = dict(head["facts"])
    except (ValueError, ArithmeticError, LookupError, RecursionError, TypeError, AttributeError):
        reason = "answered nonsense while it was being loaded"
        return refused(violation("load-limit", 1, 1, reason).as_dict())
    return CheckResult(violations, facts, program, warnings)


def _clean_violation(item: dict[str, Any]) -> dict[str, Any]:
    rule = str(item["rule"])
    return {
        "line": min(max(1, int(item["line"])), _FAR),
        "column": min(max(1, int(item["column"])), _FAR),
        "rule": rule if rule in RULES else "load-failed",
        **{key: plain_text(str(item[key]), _TEXT) for key in ("message", "hint")},
    }
