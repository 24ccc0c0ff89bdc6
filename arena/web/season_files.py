"""What can be downloaded of a season: its tables as CSV and Parquet, its report, and all of it as one file."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from typing import IO, Any

import orjson

from arena.engine.backtest.report import csv_cell
from arena.errors import ConflictError, NotFoundError
from arena.store import queries
from arena.store.season_tables import TABLES, season_frame
from arena.trust.season_report import keep_report, kept_report, report_page
from arena.web.context import AppState

NAMES = ("board", *TABLES)
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
    made = tempfile.TemporaryFile(prefix="arena-season-")  # noqa: SIM115 - whoever sends it closes it
    try:
        if name == BUNDLE:
            _write_bundle(context, season, made)
        else:
            _write(context, season, name, made)
    except BaseException:
        made.close()
        raise
    made.seek(0)
    return made


def _write(context: AppState, season: dict[str, Any], name: str, file: IO[bytes]) -> None:
    stem, _, ending = name.partition(".")
    if stem == "report":
        kept = keep_report(context.database, season["number"], context.signer)
        file.write(
            orjson.dumps(kept, option=orjson.OPT_INDENT_2) if ending == "json" else report_page(kept["report"]).encode()
        )
        return
    frame = season_frame(context.database, season["id"], stem)
    if ending == "parquet":
        frame.write_parquet(file, compression="zstd")
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.iter_rows():
        writer.writerow([csv_cell(value) for value in row])
    text.flush()
    text.detach()


def _write_bundle(context: AppState, season: dict[str, Any], file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as bundle:
        bundle.writestr("season.json", orjson.dumps(season, option=orjson.OPT_INDENT_2))
        names = [*(f"{name}.parquet" for name in NAMES), "board.csv"]
        if season["status"] == "closed":
            names += ["report.json", "report.html"]
        for name in names:
            with tempfile.TemporaryFile(prefix="arena-season-") as part:
                try:
                    _write(context, season, name, part)
                except ConflictError:  # it was opened anew meanwhile
                    continue
                part.seek(0)
                with bundle.open(name, "w") as member:
                    while piece := part.read(1 << 20):
                        member.write(piece)
