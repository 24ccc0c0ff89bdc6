"""Many rows at once: Core statements, each made once for a table and its columns.

PostgreSQL takes many new rows by binary COPY, and changes as one JSON document, because there each statement
costs a message to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    JSON,
    ClauseElement,
    Connection,
    Dialect,
    Executable,
    Insert,
    Table,
    TableValuedAlias,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.instrumentation import manager_of_class
from sqlmodel import SQLModel

from arena.store.models import VIEWS

Row = dict[str, Any]
Model = TypeVar("Model", bound=SQLModel)
Getter = Callable[[Row], tuple[Any, ...]]

COPY_FROM = 20  # rows from which COPY is worth its own round trip

# COPY in binary wants each column's own type.
_COPY_TYPES = {
    "BIGINT": "int8", "INTEGER": "int4", "FLOAT": "float8", "JSON": "json", "TEXT": "text", "VARCHAR": "varchar",
}  # fmt: skip


def table_of(model: type[SQLModel]) -> Table:
    """Return a model's Core table."""
    return model.__table__  # type: ignore[attr-defined,no-any-return]


def as_loaded(model: type[Model], /, **values: Any) -> Model:
    """Return an object as the ORM makes one of a row; its constructor checks no more and takes twenty times as long."""
    made: Model = manager_of_class(model).new_instance()
    made.__dict__.update(_defaults(model) | values)
    return made


@lru_cache(maxsize=64)
def _defaults(model: type[SQLModel]) -> Row:
    fields = model.model_fields.items()
    return {name: field.default for name, field in fields if not field.is_required() and field.default_factory is None}


_VIEW_WRITERS: dict[Table, Callable[[Connection, Sequence[Row]], None]] = {}


def write_view_by(model: type[SQLModel], write: Callable[[Connection, Sequence[Row]], None]) -> None:
    """Say how rows of a view are inserted: into the tables behind it."""
    _VIEW_WRITERS[table_of(model)] = write


def insert_rows(connection: Connection, model: type[SQLModel], rows: Sequence[Row]) -> None:
    """Insert rows that all have the same columns; the database fills in the columns that they lack."""
    if not rows:
        return
    table, dialect, names = table_of(model), connection.dialect, tuple(rows[0])
    if table.metadata is VIEWS:
        _VIEW_WRITERS[table](connection, rows)
    elif dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        _copy(connection, table, names, _bound(table, dialect, names, rows))
    elif dialect.name == "sqlite":
        _run(connection, table, _insert(table, names), names, rows)
    else:
        connection.execute(_insert(table, names), rows)


def update_rows(connection: Connection, model: type[SQLModel], keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Update rows, found by their `keys`; all set the same columns."""
    if not rows:
        return
    table, names, found_by = table_of(model), tuple(rows[0]), tuple(keys)
    if connection.dialect.name == "postgresql":
        connection.execute(_update_from_json(table, names, found_by), json_document(rows))
    else:
        connection.execute(_update(table, names, found_by), [{_KEY + name: row[name] for name in row} for row in rows])


def upsert_rows(connection: Connection, model: type[SQLModel], keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows, or update those whose `keys` are there; all set the same columns."""
    if not rows:
        return
    table, names, found_by = table_of(model), tuple(rows[0]), tuple(keys)
    if connection.dialect.name == "postgresql":
        connection.execute(_upsert_from_json(table, names, found_by), json_document(rows))
    else:
        _run(connection, table, _upsert(table, names, found_by), names, rows)


# -- statements -----------------------------------------------------------------------------------------------

_KEY = "given_"  # before the parameters of an update, since Core keeps the bare names to itself


@lru_cache(maxsize=256)
def _insert(table: Table, names: tuple[str, ...]) -> Insert:
    return insert(table).values({name: bindparam(name) for name in names})


@lru_cache(maxsize=256)
def _update(table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> Executable:
    found = and_(*(table.c[key] == bindparam(_KEY + key) for key in keys))
    return update(table).where(found).values({name: bindparam(_KEY + name) for name in names if name not in keys})


@lru_cache(maxsize=256)
def _upsert(table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> Insert:
    made = sqlite_insert(table).values({name: bindparam(name) for name in names})
    return made.on_conflict_do_update(
        index_elements=keys, set_={name: made.excluded[name] for name in names if name not in keys}
    )


def json_document(rows: Sequence[Row]) -> dict[str, str]:
    """Return the parameter `rows` of `given_rows`."""
    return {"rows": orjson.dumps(rows).decode()}


def given_rows(table: Table, names: tuple[str, ...]) -> TableValuedAlias:
    """Return the parameter `rows`, a JSON document, as a table with these columns; PostgreSQL only."""
    rows = cast(bindparam("rows", type_=Text), JSON)
    columns = [column(name, table.c[name].type) for name in names]
    return func.json_to_recordset(rows).table_valued(*columns, name="given").render_derived(with_types=True)


@lru_cache(maxsize=256)
def _update_from_json(table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> Executable:
    given = given_rows(table, names)
    found = and_(*(table.c[key] == given.c[key] for key in keys))
    return update(table).where(found).values({name: given.c[name] for name in names if name not in keys})


@lru_cache(maxsize=256)
def _upsert_from_json(table: Table, names: tuple[str, ...], keys: tuple[str, ...]) -> Executable:
    given = given_rows(table, names)
    made = postgres_insert(table).from_select(list(names), select(*(given.c[name] for name in names)))
    return made.on_conflict_do_update(
        index_elements=keys, set_={name: made.excluded[name] for name in names if name not in keys}
    )


# -- past SQLAlchemy's handling of each row ------------------------------------------------------------------


def _run(
    connection: Connection, table: Table, statement: ClauseElement, names: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Run a statement for each row by the driver; SQLAlchemy's own way costs a row several times as much."""
    text, order = _text_of(statement, connection.dialect)
    assert set(order) == set(names)
    connection.exec_driver_sql(text, list(_bound(table, connection.dialect, order, rows)))


@lru_cache(maxsize=256)
def _text_of(statement: ClauseElement, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    """Return a statement's text, and whose values its question marks stand for."""
    compiled: Any = statement.compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup)


def _bound(table: Table, dialect: Dialect, names: tuple[str, ...], rows: Sequence[Row]) -> Iterable[tuple[Any, ...]]:
    """Return the rows' values in order; the driver knows nothing of JSON columns, so these are texts already."""
    get, binders = _reader(table, dialect, names)
    values = map(get, rows)
    if not binders:
        return values
    columns: list[Iterable[Any]] = list(zip(*values, strict=True))
    for place, bind in binders:
        columns[place] = map(bind, columns[place])
    return zip(*columns, strict=True)


@lru_cache(maxsize=256)
def _reader(
    table: Table, dialect: Dialect, names: tuple[str, ...]
) -> tuple[Getter, list[tuple[int, Callable[[Any], Any]]]]:
    binders: list[Any] = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    found = [(place, bind) for place, bind in enumerate(binders) if bind is not None]
    get: Getter = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    return get, found


@contextmanager
def _driver(connection: Connection, statement: str) -> Iterator[Any]:
    """Lend the driver's own connection; its errors come out as SQLAlchemy's."""
    base: Any = connection.dialect.loaded_dbapi.Error
    try:
        yield connection.connection.driver_connection
    except base as error:
        raise DBAPIError.instance(statement, None, error, base, dialect=connection.dialect) from error


def _copy(connection: Connection, table: Table, names: tuple[str, ...], values: Iterable[tuple[Any, ...]]) -> None:
    statement, types = _copy_sql(table, connection.dialect, names)
    with _driver(connection, statement) as driver, driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        write = copy.write_row
        for row in values:
            write(row)


@lru_cache(maxsize=256)
def _copy_sql(table: Table, dialect: Dialect, names: tuple[str, ...]) -> tuple[str, list[str]]:
    types = [_COPY_TYPES[table.c[name].type.compile(dialect)] for name in names]
    return f"COPY {_quoted(table.name)} ({_listed(names)}) FROM STDIN (FORMAT BINARY)", types


def _quoted(name: str) -> str:
    return f'"{name}"'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))
