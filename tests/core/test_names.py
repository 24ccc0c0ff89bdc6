"""Names that look alike have one skeleton; names that differ have two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.names import skeleton


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alpha", "\u0410lpha"), ("Momentum", "M\u043ementum"), ("ALICE", "alice"), ("Bill", "BiII"),
        ("paypal", "\u0440\u0430\u0443\u0440\u0430\u04cf"), ("Dip Buyer", "dip_buyer"), ("Grid", "Grid v2"),
        ("Grid", "Grid #3"), ("modern", "modem"), ("Bot 1", "Bot l"), ("fish", "\ufb01sh"), ("Trader", "Tr\u00e4der"),
        ("alpha", "\U0001d400lpha"), ("\u0422\u0435\u0441\u0442", "T\u0435\u0441\u0442"), ("Bot 10", "Bot-10"),
        ("Zero", "Zer0"), ("wave", "vvave"), ("full width", "\uff46ull width"),
    ],
)  # fmt: skip
def test_look_alikes_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bot 1", "Bot 2"), ("Bot 15", "Bot 13"), ("Bot 10", "Bot 100"), ("Alpha", "Beta"), ("Clip Buyer", "Dip Buyer"),
        ("\u65e5\u672c", "\u65e5\u6728"), ("1", "2"), ("v2", "v3"), ("Grid v2x", "Grid"), ("10", "1o"),
    ],
)  # fmt: skip
def test_other_names_have_other_skeletons(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@given(st.text(max_size=30))
def test_the_case_of_letters_makes_no_difference(name: str) -> None:
    assert skeleton(name.upper().lower()) == skeleton(name.upper().lower().upper().lower())
    assert skeleton(skeleton(name)) or not skeleton(name)


@given(st.sets(st.integers(0, 10**6), min_size=2, max_size=5))
def test_numbers_tell_names_apart(numbers: set[int]) -> None:
    assert len({skeleton(f"Bot {number}") for number in numbers}) == len(numbers)
