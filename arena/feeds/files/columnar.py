"""Tables that come as columns: Parquet, Feather, and lists of flat JSON records."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from arena.errors import MarketDataError
from arena.feeds.files.columns import Columns, Names, told_layout
from arena.feeds.files.dates import form_of
from arena.feeds.files.layouts import Layout, from_header
from arena.feeds.files.opening import ACCEPTED, Source
from arena.feeds.files.room import require_room, require_room_for_rows
from arena.feeds.files.table import frame_rows
from arena.feeds.files.tape import Report, Rows
from arena.feeds.files.times import looks_numeric

if TYPE_CHECKING:
    import polars as pl

ARROW, PARQUET = b"ARROW1", b"PAR1"
_HEAD = 200


def from_file(source: Source, columns: Columns, report: Report) -> tuple[Rows, Layout]:
    """Read a Parquet or Feather file whose columns are named as those of a CSV file would be."""
    require_room(source.label)
    import polars as pl

    kind = "Parquet" if source.head.startswith(PARQUET) else "Feather"
    scan = pl.scan_parquet if kind == "Parquet" else pl.scan_ipc
    try:
        lazy = scan(io.BytesIO(source.data))
        names = lazy.collect_schema().names()
        require_room_for_rows(source.label, lazy.select(pl.len()).collect().item())
        return _named(lazy, Names(source.label, len(names), names), columns, report)
    except pl.exceptions.PolarsError as error:
        raise MarketDataError(f"{source.label} is a damaged {kind} file: {error}.") from error


def from_records(
    records: list[dict[str, object]], source: Source, columns: Columns, report: Report
) -> tuple[Rows, Layout]:
    """Read a list of JSON objects as a table."""
    require_room(source.label)
    import polars as pl

    names = [name for name, value in records[0].items() if not isinstance(value, (dict, list))]
    cells = {name: [None if (cell := record.get(name)) is None else str(cell) for record in records] for name in names}
    frame = pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String))
    return _named(frame.lazy(), Names(source.label, len(names), names), columns, report)


def _named(lazy: pl.LazyFrame, table: Names, columns: Columns, report: Report) -> tuple[Rows, Layout]:
    """Read only the columns in use; they are then called by their place, as those of text are."""
    import polars as pl

    names = list(table.names or ())
    head = lazy.head(_HEAD).collect().select(pl.all().cast(pl.String, strict=False)).fill_null("")
    sample = [list(row) for row in head.rows()]
    layout = told_layout(columns, table, from_header(names, sample))
    if layout is None or not sample:
        raise MarketDataError(
            f"{table.label} has no columns that can be read as time and price: {', '.join(names)}. {ACCEPTED}"
        )
    report.columns = table.spoken(layout)
    frame = lazy.select(pl.col(names[place]).alias(f"column_{place}") for place in sorted(layout.used())).collect()
    texts = [place for place in layout.time if not frame[f"column_{place}"].dtype.is_temporal()]
    cells = {place: [row[place] for row in sample] for place in texts}
    numbers = [
        pl.col(f"column_{place}").cast(pl.Float64, strict=False) for place in texts if looks_numeric(cells[place])
    ]
    if texts and not numbers:
        form, note = form_of(cells[texts[0]], lambda: cells[texts[0]])
        layout = replace(layout, form=form, note=f"{layout.note} {note}".strip())
    rows = frame_rows(frame.with_columns(numbers), layout, report)
    if layout.has_deals():
        told, there = pl.struct(pl.all()), pl.lit(value=True)
        if layout.id is not None:
            own = [place for place in (layout.symbol, layout.id) if place is not None]
            told, there = pl.struct([names[place] for place in own]), pl.col(names[layout.id]).is_not_null()
        rows.again = lazy.select(~told.is_first_distinct() & there).collect().to_series().to_numpy()
    return rows, layout
