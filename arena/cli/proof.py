"""`arena verify` and `arena export`: prove a bot's record, here or from a bundle anywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import is_zipfile

import typer

from arena import __version__, config
from arena.cli.early import RUNTIME, taken
from arena.cli.output import complain, console, plural, print_json
from arena.core.text import clean_line
from arena.errors import NotFoundError, StoreError

if TYPE_CHECKING:
    from arena.engine.replay.proof import Proof
    from arena.store.bundle import Bundle, StoredRecord
    from sandbox.pool import Pool

Season = Annotated[str, typer.Option(help="Number or id of the season; else the newest one that has the bot.")]
Db = Annotated[str, typer.Option(help="SQLite file; else the configured database.")]

_MAX_DOCUMENT = 64 << 20
# What one kind of signed document has and the other has not: a signature covers what is said, not what it is called.
_PARTS = {"report": "table", "board": "items"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(verify)
    app.command()(export)


def verify(
    bot: Annotated[str, typer.Argument(help="Id or name of a bot, or a bundle of `arena export` (.zip).")],
    season: Season = "",
    db: Db = "",
    key: Annotated[str, typer.Option(help="Key that must have signed it, as /api/v1/key shows it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Run a bot again on its recorded ticks and compare everything; of a file, check signature and receipts as well.

    A signed season report or board (.json) has nothing to run: its signature is checked, and with --db its figures.
    """
    if Path(bot).is_file() and not is_zipfile(bot) and bot.lower().endswith(".json"):
        _verify_document(Path(bot), key, db, as_json=as_json)
        return
    from arena.engine.replay import proof
    from arena.store.bundle import mark_verified
    from sandbox.pool import Pool

    settings = config.load(db_path=db or None)
    record, database = _record(settings, bot, season)
    pool = Pool(RUNTIME, settings.limits, begun=taken(), tuned=settings.sandbox_tuning)
    pool.start()
    try:
        found = _proved(pool, record, stranger=database is None)
    finally:
        pool.stop()
    if database is not None and found.status != proof.UNPROVED:
        mark_verified(database, record.season["id"], record.bot["id"], found.tick, found.status)
        _keep(database, record, found)
    document = {
        "bot": record.entry["bot_name"], "bot_id": record.bot["id"], "season": record.season["number"],
        "status": found.status, "tick": found.tick, "compared": found.compared, "findings": found.findings,
    }  # fmt: skip
    wrong = list(record.problems) if database is None else []
    if database is None:
        document["signature"] = _signature(record.key, wrong, key)
    _show(document, as_json=as_json)
    if found.status != proof.REPRODUCED or wrong:
        raise typer.Exit(1)


def _signature(signed_by: str | None, wrong: list[str], expected: str) -> dict[str, Any]:
    """Return what there is to say of a signature; what an expected key finds is added to `wrong`."""
    if expected and signed_by != expected:
        wrong.append("It is not signed." if signed_by is None else "It is signed by another key.")
    return {"key": signed_by, "holds": signed_by is not None and not wrong, "problems": wrong}


def _verify_document(path: Path, expected: str, db: str, *, as_json: bool) -> None:
    import orjson

    from arena.store.receipts import seal_problems

    try:
        # This parser knows no NaN, which would be signed as null is.
        found: Any = orjson.loads(path.read_bytes()) if path.stat().st_size <= _MAX_DOCUMENT else None
        (kind,) = set(found) - {"signature", "key"}
        body, signature, key = found[kind], found["signature"], found["key"]
        known = _PARTS[kind] in body
    except (OSError, ValueError, LookupError, TypeError):
        known = False
    if not known:
        raise StoreError(f"{path} is no signed season report, board or bundle of an arena.")
    wrong = seal_problems(body, signature, key)
    if kind == "report" and db and not wrong:
        wrong += _report_differences(body, db)
    told = _signature(clean_line(str(key), 80), wrong, expected)
    status = "the signature holds" if not wrong else "not proved"
    if as_json:
        print_json({"file": str(path), "kind": kind, "status": status, "signature": told})
    else:
        console.print(f"{path}: {kind}, {status}", markup=False)
        console.print(f"  signed by {told['key']}", markup=False)
        for words in wrong:
            console.print(f"  {clean_line(words)}", markup=False)
    if wrong:
        raise typer.Exit(1)


def _report_differences(body: dict[str, Any], db: str) -> list[str]:
    """Compute a season's report again from a database; return which parts differ."""
    import orjson

    from arena.store.database import open_database
    from arena.trust.season_report import season_report

    if not Path(db).is_file():
        raise NotFoundError(f"There is no database {db}.")
    try:
        number = int(body["season"]["number"])
    except (LookupError, TypeError, ValueError):
        return ["It names no season."]
    again = orjson.loads(orjson.dumps(season_report(open_database(f"sqlite:///{db}"), number)))
    return [f"Computed again, this part differs: {name}." for name in again if again[name] != body.get(name)]


def _keep(database: Any, record: Any, found: Any) -> None:
    """Store the result as the server stores its own, for the API; an older database has no place for it."""
    from dataclasses import asdict

    from sqlalchemy import inspect

    from arena.store.jobs import VERIFY, add_job, proof_subject

    if not inspect(database).has_table("jobs"):
        return
    season_id, bot = record.season["id"], record.bot
    inputs = {"season_id": season_id, "bot_id": bot["id"], "source_hash": bot["source_hash"], "tick": found.tick}
    add_job(
        database, VERIFY, proof_subject(season_id, bot["id"]), inputs, result={"bot_id": bot["id"], **asdict(found)}
    )


def _proved(pool: Pool, record: Bundle | StoredRecord, *, stranger: bool) -> Proof:
    """Return what running the bot again shows; a stranger's file that passed every check may still be nonsense."""
    from arena.engine.replay import proof

    try:
        return proof.verify(pool, record)
    except (ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:
        if not stranger:
            raise
        words = f"The bundle cannot be played: {type(error).__name__}: {clean_line(str(error), 200)}."
        return proof.Proof(proof.UNPROVED, record.last, [words])


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    counts = ", ".join(plural(number, name.removesuffix("s"), name) for name, number in document["compared"].items())
    console.print(f"{document['bot']}: {document['status']} up to tick {document['tick']}", markup=False)
    if counts:
        console.print(f"  compared: {counts}", markup=False)
    for words in document["findings"]:
        console.print(f"  {words}", markup=False)
    signature = document.get("signature")
    if signature is not None:
        held = "not signed" if signature["key"] is None else f"signed by {signature['key']}"
        console.print(f"  {held}", markup=False)
        for words in signature["problems"]:
            console.print(f"  {words}", markup=False)


def export(
    bot: Annotated[str, typer.Argument(help="Id or name of a bot.")],
    out: Annotated[Path, typer.Option(help="The bundle to write (.zip).")],
    season: Season = "",
    db: Db = "",
) -> None:
    """Write a bundle that proves a bot's record anywhere: source, ticks, rules, rows and their hashes."""
    from arena.store.bundle import open_bundle, read_bundle, write_bundle
    from arena.store.receipts import read_key

    settings = config.load(db_path=db or None)
    if Path(bot).is_file() and (bot.lower().endswith(".zip") or is_zipfile(bot)):
        bundle = open_bundle(Path(bot))
    else:
        database = _database(settings)
        bundle = read_bundle(database, *_find(database, bot, season), __version__)
    key = Path(settings.key_file)
    write_bundle(bundle, out, read_key(key) if key.is_file() else None)
    if not key.is_file():
        complain(f"There is no {key} here, so the bundle is not signed; KEY_FILE names the server's key.")
    counts = f"{plural(len(bundle.ticks), 'tick')}, {plural(len(bundle.trades), 'trade')}"
    complain(f"{bundle.entry['bot_name']}: {counts} in {out}")


def _record(settings: config.Settings, bot: str, season: str) -> tuple[Any, Any]:
    """Return the record, and the database where it comes from one."""
    from arena.store.bundle import StoredRecord, open_bundle

    if Path(bot).is_file() and (bot.lower().endswith(".zip") or is_zipfile(bot)):
        return open_bundle(Path(bot)), None
    database = _database(settings)
    return StoredRecord(database, *_find(database, bot, season)), database


def _database(settings: config.Settings) -> Any:
    from arena.store.database import open_database

    if not settings.database_url and not Path(settings.db_path).is_file():
        raise NotFoundError(f"There is no database {settings.db_path}; name one by --db or DB_PATH.")
    return open_database(settings.url)


def _find(database: Any, bot: str, season: str) -> tuple[str, str]:
    from arena.store import queries

    seasons = queries.season_rows(database)
    wanted = [row for row in seasons if not season or season in {row["id"], str(row["number"])}]
    if not wanted:
        raise NotFoundError(f"There is no season {season}.")
    for row in wanted:
        try:
            return row["id"], queries.find_bot(database, row["id"], bot)
        except NotFoundError:
            continue
    raise NotFoundError(f"There is no bot '{bot}' in {f'season {season}' if season else 'any season'}.")
