"""Commands on market files: what is in them, the same in another form, and fetching them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.cli.output import complain, console, errors, plural, print_json, print_table
from arena.errors import MarketDataError, NotFoundError

app = typer.Typer(help="Market files: look into them, convert them, download them.", no_args_is_help=True)

_SITE = "https://data.binance.vision"

Specs = Annotated[list[str], typer.Argument(metavar="FILE", help="Market files, [SYMBOL=]PATH.", show_default=False)]
Columns = Annotated[
    str | None,
    typer.Option(
        help="Columns of tables where the guess is wrong: time=NAME,price=NAME,symbol=NAME,decimal=comma.",
        metavar="ROLES",
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(help="Time zone of times that name none: America/New_York, EST, +02:00.", metavar="ZONE"),
]
Bar = Annotated[
    str | None,
    typer.Option(
        help="Length of bars, and whether their time is start or end: 5m, end or 5m,end; none: rows are no bars.",
        metavar="BAR",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def info(files: Specs, columns: Columns = None, zone: Zone = None, bar: Bar = None, as_json: AsJson = False) -> None:
    """Say what market files hold, how they were understood, and what is wrong with them."""
    from arena.feeds.convert import describe

    found = describe(files, columns, zone=zone, bar=bar)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    rows = [
        {
            **symbol,
            "file": file["file"],
            "kind": file["kind"],
            "interval": "-" if file["interval"] is None else f"{file['interval']:g} s",
        }
        for file in found["files"]
        for symbol in file["symbols"]
    ]
    columns = (
        ("file", "FILE"), ("kind", "KIND"), ("symbol", "SYMBOL"), ("rows", "ROWS"), ("from", "FROM"), ("to", "TO"),
        ("interval", "BAR"),
    )  # fmt: skip
    print_table(columns, rows, optional=("interval", "kind"))
    for file in found["files"]:
        roles = ", ".join(f"{role} from {name!r}" for role, name in file["columns"].items())
        if roles:
            console.print(f"{file['file']}: {roles}", markup=False, style="dim", soft_wrap=True)
        for what, words in file["understood"].items():
            console.print(f"{file['file']}: {what}: {words}", markup=False, style="dim", soft_wrap=True)
    for note in found["notes"]:
        console.print(note, markup=False, soft_wrap=True)
    span = f"{found['from']} to {found['to']}"
    console.print(
        f"{plural(len(found['symbols']), 'symbol')}, {plural(found['rows'], 'price')}, {span}",
        style="dim",
        soft_wrap=True,
    )


@app.command()
def convert(
    files: Specs,
    out: Annotated[Path, typer.Option(help="Where to write: .csv, .csv.gz or .parquet.", show_default=False)],
    interval: Annotated[float | None, typer.Option(help="Resample the market, seconds.")] = None,
    columns: Columns = None,
    zone: Zone = None,
    bar: Bar = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write market files as one table time,symbol,price; without --interval with every price that counts."""
    from arena.feeds.convert import convert as write

    table = write(files, out, interval=interval, columns=columns, zone=zone, bar=bar, force=force)
    for note in table.notes:
        complain(note)
    console.print(
        f"{out}: {plural(len(table.times), 'price')} of {', '.join(table.symbols)}", markup=False, soft_wrap=True
    )


@app.command()
def download(
    venue: Annotated[str, typer.Argument(help="binance", show_default=False)],
    symbol: Annotated[str, typer.Argument(help="A symbol like BTCUSDT.", show_default=False)],
    what: Annotated[str, typer.Argument(help="An interval like 1m, trades or aggTrades.", show_default=False)],
    first: Annotated[str, typer.Argument(help="A month like 2025-01 or a day like 2025-01-31.", show_default=False)],
    last: Annotated[str | None, typer.Argument(help="The last one of a range.", show_default=False)] = None,
    folder: Annotated[Path, typer.Option("--dir", help="Where to put the files.")] = Path(),
    base_url: Annotated[str, typer.Option(help="Another copy of the archive.")] = _SITE,
) -> None:
    """Fetch files of Binance's public archive, verified by their checksums; an interrupted command goes on."""
    from arena.feeds.archives import archives
    from arena.feeds.download import Downloader

    if venue.lower() != "binance":
        raise MarketDataError(f"There is no archive of {venue}; binance has one.", usage=True)
    missing = 0
    with Downloader(folder, base_url=base_url) as downloader:
        for archive in archives(symbol, what, first, last):
            try:
                with _bar(archive.name) as advance:
                    fresh = downloader.fetch(archive, advance)
            except NotFoundError as error:
                missing += 1
                complain(str(error))
                continue
            words = "" if fresh else " (was there already)"
            console.print(f"{folder / archive.name}{words}", markup=False, soft_wrap=True)
    if missing:
        raise typer.Exit(4)


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show how far a file has come, where a person watches."""
    if not errors.is_terminal:
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
