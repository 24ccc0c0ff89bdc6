"""Dates that are not ISO: which of the usual ways of writing them a column uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %H%M", " %H%M%S")
_DAYS = (
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y",
    "%Y-%m-%d", "%Y/%m/%d", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y",
)  # fmt: skip
_WHOLE = (
    "%a, %d %b %Y %H:%M:%S GMT", "%Y-%m-%d %I-%p", "%d.%m.%Y %H:%M:%S.%f GMT%z",
    "%Y%m%d %H%M%S%f", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S UTC",
)  # fmt: skip
FORMS = (*(day + clock for day in _DAYS for clock in _CLOCKS), *_WHOLE)

_TRIED = 40  # cells are enough to tell a form
_WORDS = {"%d": "day", "%m": "month", "%b": "month", "%B": "month", "%Y": "year", "%y": "year"}


def forms_of(cells: Sequence[str]) -> list[str]:
    """Return the forms that fit most of the cells, all equally well; nothing if none fits one."""
    filled = sorted(filter(None, set(cells)))
    tried = filled[:: len(filled) // _TRIED + 1]
    numbers = {form: sum(fits(cell, form) for cell in tried) for form in FORMS}
    best = max(numbers.values())
    return [form for form, number in numbers.items() if number == best] if best else []


def form_of(cells: Sequence[str], days: Callable[[], Iterable[str]]) -> tuple[str, str]:
    """Return the form of a column and, where it had to be guessed, a sentence that says so.

    Where a sample does not part 3 April from 4 March, all `days` of the file decide: the form that
    fits more of them, else the one that puts them closer together.
    """
    forms = forms_of(cells)
    if len({day_part(form) for form in forms}) < 2:
        return (forms[0] if forms else ""), ""
    all_days = sorted(set(days()))
    ranks = [(-sum(fits(day, day_part(form)) for day in all_days), _span(all_days, day_part(form))) for form in forms]
    best = min(range(len(forms)), key=ranks.__getitem__)
    sure = ranks.count(ranks[best]) == 1
    return forms[best], "" if sure else f"Dates were read as {_spoken(forms[best])}; they could be {_other(forms)}."


def _other(forms: Sequence[str]) -> str:
    return f"{_spoken(forms[1])} as well"


def _span(days: Iterable[str], form: str) -> int:
    """Return how many days lie between the first and the last one."""
    read = [datetime.strptime(day, form).toordinal() for day in days if fits(day, form)]  # noqa: DTZ007
    return max(read) - min(read) if read else 0


def fits(cell: str, form: str) -> bool:
    """Tell whether a cell is written in a form."""
    try:
        datetime.strptime(cell, form)  # noqa: DTZ007 - whether it can be read, not what it is
    except ValueError:
        return False
    return True


def day_part(form: str) -> str:
    """Return a form without its clock."""
    return re.split(r"[ T]%[HI]", form)[0]


def _spoken(form: str) -> str:
    return ", ".join(_WORDS[part] for part in re.findall(r"%[dmbBYy]", form))


def for_polars(form: str) -> str:
    """Return the form in the spelling of polars, which parts fractions differently."""
    return form.replace("%S.%f", "%S%.f").replace("%S%f", "%S%3f")
