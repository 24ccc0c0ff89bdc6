"""What can be downloaded of a season: its tables as CSV and Parquet, its report, and all of it as one file."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Any

import orjson

from arena.errors import ConflictError, NotFoundError, TooLargeError
from arena.store import queries
from arena.store.season_export import BOARD_TEXTS, board_frame, count_rows, export_table, for_spreadsheets
from arena.store.zip_member import timeless
from arena.trust.season_report import keep_report, kept_report, report_page
from arena.web.context import AppState

NAMES = ("board", "trades", "orders", "equity", "ticks")
MAX_ROWS = 2_000_000  # of one table: writing more takes a reader's place for minutes
BUNDLE = "season.zip"
FILES = (
    *(f"{name}.{ending}" for name in NAMES for ending in ("csv", "parquet")), "report.json", "report.html", BUNDLE
)  # fmt: skip
TYPES = {
    "csv": "text/csv", "parquet": "application/vnd.apache.parquet", "json": "application/json", "html": "text/html",
    "zip": "application/zip",
}  # fmt: skip
SMALL = 200_000  # bots times score points: a report of so many is made while a page waits


def report_at_hand(context: AppState, season: dict[str, Any], bots: int) -> dict[str, Any] | None:
    """Return the report of a closed season where it is stored or quick to make, else None."""
    if season["status"] != "closed":
        return None
    kept = kept_report(context.database, season["id"])
    if kept is None:
        span = (season["closed_at"] or season["opened_at"]) - season["opened_at"]
        if bots * span / max(1.0, season["score_interval"]) > SMALL:
            return None
        kept = keep_report(context.database, season["number"], context.signer)
    report: dict[str, Any] = kept["report"]
    return report


def season_file(context: AppState, number: int, name: str) -> IO[bytes]:
    """Return one file of a season, at its start; NotFoundError names those there are."""
    if name not in FILES:
        raise NotFoundError(f"A season has no file of that name; there are {', '.join(FILES)}.")
    season = queries.season_by_number(context.database, number)
    with tempfile.TemporaryDirectory(prefix="arena-season-") as folder:
        path = Path(folder) / name
        if name == BUNDLE:
            _write_bundle(context, season, path)
        else:
            _write(context, season, path)
        # An open file outlives its name.
        return path.open("rb")


def _write(context: AppState, season: dict[str, Any], path: Path) -> None:
    table, kind = path.stem, path.suffix.removeprefix(".")
    if table == "report":
        kept = keep_report(context.database, season["number"], context.signer)
        path.write_bytes(
            orjson.dumps(kept, option=orjson.OPT_INDENT_2) if kind == "json" else report_page(kept["report"]).encode()
        )
    elif table == "board":
        frame = board_frame(context.database, season["id"])
        if kind == "csv":
            for_spreadsheets(frame, BOARD_TEXTS).write_csv(path)
        else:
            frame.write_parquet(path, compression="zstd")
    else:
        rows = count_rows(context.database, season["id"], table)
        if rows > MAX_ROWS:
            raise TooLargeError(
                f"The table has {rows:,} rows, more than {MAX_ROWS:,}; `arena season export` writes them all."
            )
        export_table(context.database, season["id"], table, path, "csv" if kind == "csv" else "parquet")


def _write_bundle(context: AppState, season: dict[str, Any], path: Path) -> None:
    names = [*(f"{name}.parquet" for name in NAMES), "board.csv"]
    if season["status"] == "closed":
        names += ["report.json", "report.html"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as bundle:
        bundle.writestr(timeless(bundle, "season.json"), orjson.dumps(season, option=orjson.OPT_INDENT_2))
        for name in names:
            part = path.with_name(name)
            try:
                _write(context, season, part)
            except ConflictError:  # it was opened anew meanwhile
                continue
            with bundle.open(timeless(bundle, name), "w", force_zip64=True) as member, part.open("rb") as written:
                shutil.copyfileobj(written, member)
            part.unlink()
