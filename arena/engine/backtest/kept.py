"""Backtests that were kept: a folder each, with the report as JSON, HTML and CSV."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from arena import __version__
from arena.engine.backtest import report
from arena.engine.backtest.run import BacktestResult
from arena.errors import ConflictError, NotFoundError

Row = dict[str, Any]

HEAD = "run.json"  # what was played and what came out
PAGE = "page.json"  # what the report's page shows
FILES = (HEAD, "report.html", "trades.csv", "orders.csv", "logs.jsonl")
BY_COMMAND, BY_PAGE = "command", "page"
_RUN_ID = re.compile(r"[0-9a-f]{1,12}")
# What two runs may differ in; each is a path into the head.
_CONDUCT = (
    ("market files", ("markets",)),
    ("starting cash", ("report", "rules", "starting_cash")),
    ("fee in bps", ("report", "rules", "fee_bps")),
    ("slippage in bps", ("report", "rules", "slippage_bps")),
    ("ticks from an order to its fill", ("report", "rules", "delay_ticks")),
    ("seconds a tick", ("report", "rules", "interval")),
    ("seed", ("report", "seed")),
    ("mode", ("report", "mode")),
    ("version of Arena", ("version",)),
)
FIGURES = ("equity", "return_pct", "max_drawdown_pct", "sharpe", "trades", "rejected", "errors", "fees")


def run_id(sources: Sequence[bytes], markets: Mapping[str, str | None], rules: Row, seed: int, mode: str) -> str:
    """Return the id of a run: the same programs over the same market by the same rules have the same one."""
    programs = [hashlib.sha256(source).hexdigest() for source in sources]
    facts = [__version__, programs, sorted(markets.items()), rules, seed, mode]
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def file_hashes(specs: Sequence[str]) -> dict[str, str | None]:
    """Return the SHA-256 of each market file by its spec, None for what is no single file."""
    return {spec: _sha256(Path(spec)) or _sha256(Path(spec.partition("=")[2])) for spec in specs}


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class KeptRuns:
    """The kept backtests of one folder."""

    folder: Path

    def keep(
        self, head: Row, page: Row, report_page: str, results: Sequence[BacktestResult]
    ) -> Path:  # fmt: skip
        """Write a run, in the place of an earlier one with its id; a run is whole or not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name: str = head["id"]
        place = self.folder / name
        made = self.folder / f".{name}.{uuid.uuid4().hex[:8]}"
        made.mkdir()
        try:
            (made / "report.html").write_text(report_page, encoding="utf-8", newline="\n")
            (made / PAGE).write_bytes(orjson.dumps(page))
            report.write_csv(made / "trades.csv", report.TRADE_COLUMNS, report.trade_rows(results))
            report.write_csv(made / "orders.csv", report.ORDER_COLUMNS, report.order_rows(results))
            report.write_jsonl(made / "logs.jsonl", report.log_rows(results))
            (made / HEAD).write_bytes(orjson.dumps(head, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            shutil.rmtree(place, ignore_errors=True)
            made.rename(place)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return place

    def heads(self, by: str | None = None) -> list[Row]:
        """Return the runs, newest first; a folder that holds none is passed over."""
        found = []
        for path in self.folder.glob(f"*/{HEAD}"):
            if _RUN_ID.fullmatch(path.parent.name):
                head = _read(path)
                if head is not None and by in {None, head["by"]}:
                    found.append(head)
        return sorted(found, key=lambda head: (-head["created_at"], head["id"]))

    def head(self, wanted: str) -> Row:
        """Return one run by its id or the first characters of it; NotFoundError or ConflictError says what to do."""
        wanted = wanted.strip().lower()
        if not _RUN_ID.fullmatch(wanted):
            raise NotFoundError(f"{wanted[:40]!r} is no id of a run; `arena runs list` shows the ids.")
        places = [path.parent.name for path in self.folder.glob(f"{wanted}*/{HEAD}")]
        if len(places) > 1:
            raise ConflictError(f"{wanted} is the start of {len(places)} runs ({', '.join(sorted(places))}): say more.")
        found = _read(self.folder / places[0] / HEAD) if places else None
        if found is None:
            raise NotFoundError(f"{self.folder} keeps no run {wanted}; `arena backtest … --keep` keeps one.")
        return found

    def page(self, run: str) -> Row:
        """Return what the page of a run shows."""
        found = _read(self.folder / run / PAGE) if _RUN_ID.fullmatch(run) else None
        if found is None:
            raise NotFoundError(f"There is no kept run {run}.")
        return found

    def file(self, run: str, name: str) -> Path:
        """Return the path of one file of a run."""
        path = self.folder / run / name
        if not _RUN_ID.fullmatch(run) or name not in FILES or not path.is_file():
            raise NotFoundError(f"The run has no file of that name; there are {', '.join(FILES)}.")
        return path

    def prune(self, by: str, most: int) -> None:
        """Remove the oldest runs that were kept by one way, beyond so many."""
        for head in self.heads(by)[most:]:
            shutil.rmtree(self.folder / head["id"], ignore_errors=True)


def _read(path: Path) -> Row | None:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def head_of(
    found: Row, markets: Mapping[str, str | None], sources: Mapping[str, bytes], command: str, *, by: str, name: str
) -> Row:
    """Return the head of a run, which says what was played and what came out; `found` is its document."""
    programs = [hashlib.sha256(sources.get(bot["file"], b"")).hexdigest() for bot in found["bots"]]
    bots = [
        {**{key: value for key, value in bot.items() if key != "equity_curve"}, "source_sha256": program}
        for bot, program in zip(found["bots"], programs, strict=True)
    ]
    return {
        "id": name, "created_at": time.time(), "by": by, "version": __version__, "command": command,
        "markets": dict(markets), "report": {**found, "bots": bots},
    }  # fmt: skip


def figures(bot: Row) -> Row:
    """Return the figures of a bot of a run by name, None where there is none."""
    all_of_them = {**bot, **(bot["metrics"] or {})}
    return {name: all_of_them.get(name) for name in FIGURES}


def title(bot: Row) -> str:
    """Return what a bot is called: its name, or its file where it was refused."""
    return str(bot["name"] or bot["file"])


def compare(heads: Sequence[Row]) -> Row:
    """Return what runs differ in, and the figures of each bot beside one another; a bot is known by its name."""
    differences = []
    for words, path in _CONDUCT:
        values = [_at(head, path) for head in heads]
        if path == ("markets",):
            values = [sorted(str(digest) for digest in value.values()) for value in values]
        if any(value != values[0] for value in values[1:]):
            differences.append({"what": words, "values": values})
    by_bot: dict[str, Row] = {}
    for place, head in enumerate(heads):
        for bot in head["report"]["bots"]:
            row = by_bot.setdefault(title(bot), {"bot": title(bot), "figures": [None] * len(heads), "programs": []})
            row["figures"][place] = figures(bot)
            row["programs"].append(bot["source_sha256"])
    bots = [
        {"bot": row["bot"], "same_program": len(set(row["programs"])) == 1, "figures": row["figures"]}
        for row in by_bot.values()
    ]
    same_market = all(difference["what"] != "market files" for difference in differences)
    return {
        "runs": [head["id"] for head in heads], "differences": differences, "same_market": same_market, "bots": bots
    }  # fmt: skip


def _at(head: Row, path: Sequence[str]) -> Any:
    found: Any = head
    for key in path:
        found = found[key]
    return found
