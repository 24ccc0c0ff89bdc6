"""Every rule has an example that breaks it, and the page about them is the one the code prints."""

from __future__ import annotations

import sys

import pytest
from wall_process import ROOT

from sandbox.language.rules import RULES, page
from sandbox.pool import Pool

# The `type` statement is a syntax error before 3.12, and there the parser speaks first.
_NEEDS_312 = {"type-alias"}


@pytest.mark.parametrize("rule", RULES)
def test_the_example_of_a_rule_breaks_it(bots: Pool, rule: str) -> None:
    if rule in _NEEDS_312 and sys.version_info < (3, 12):
        pytest.skip("this Python cannot read the example")
    example = RULES[rule].example
    source = eval(example[2:]) if example.startswith("= ") else example
    data = source if isinstance(source, bytes) else source.encode()
    found = bots.check(data).violations
    assert rule in {violation["rule"] for violation in found}
    for violation in found:
        assert violation["line"] >= 1
        assert violation["column"] >= 1
        assert violation["message"]
        assert violation["hint"]
        assert "{" not in violation["hint"]


def test_the_page_about_the_rules_is_current() -> None:
    assert (ROOT / "docs" / "language.md").read_text(encoding="utf-8") == page()
