"""Lists of the API as Python lists that know how to become data frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from arena.errors import ArenaError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Row = TypeVar("Row")


class Table(list[Row]):
    """Rows of an answer; `head` is what the answer says beside them, such as `season`, `as_of` or `next_cursor`."""

    def __init__(self, rows: Iterable[Row] = (), head: dict[str, Any] | None = None) -> None:
        super().__init__(rows)
        self.head: dict[str, Any] = head or {}

    @property
    def document(self) -> dict[str, Any]:
        """Return the rows as the API sends them, with what it says beside them."""
        return {**self.head, "items": list(self)}

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas data frame; ArenaError where pandas is not installed."""
        try:
            import pandas as pd
        except ImportError:
            raise ArenaError("to_pandas() needs pandas: pip install pandas.") from None
        return pd.DataFrame(list(self))

    def to_polars(self) -> pl.DataFrame:
        """Return a polars data frame; ArenaError where polars is not installed."""
        try:
            import polars as pl
        except ImportError:
            raise ArenaError("to_polars() needs polars: pip install polars.") from None
        # A column may begin with many rows that have no value.
        return pl.DataFrame(list(self), infer_schema_length=None)
