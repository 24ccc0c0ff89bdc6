"""Many rows at once, by the quickest way each database has.

The statement is made once a table and set of columns, and the driver gets plain tuples: Core's own
executemany spends most of its time on turning one dict into another. PostgreSQL takes many new rows by
binary COPY, and changes as one JSON document, because there each statement costs a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.instrumentation import manager_of_class
from sqlmodel import SQLModel

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


def insert_rows(connection: Connection, model: type[SQLModel], rows: Sequence[Row]) -> None:
    """Insert rows that all have the same columns; those they lack are the database's to fill."""
    if not rows:
        return
    table, dialect, names = table_of(model), connection.dialect, tuple(rows[0])
    values = _bound(table, dialect, names, rows)
    if dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        _copy(connection, table, names, values)
    else:
        _execute(connection, _insert_sql(table, dialect, names), values)


def update_rows(connection: Connection, model: type[SQLModel], keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Update rows, found by their `keys`; all set the same columns."""
    _change(connection, table_of(model), tuple(keys), rows, _update_sql, _update_from_json_sql)


def upsert_rows(connection: Connection, model: type[SQLModel], keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows, or update those whose `keys` are there; all set the same columns."""
    _change(connection, table_of(model), tuple(keys), rows, _upsert_sql, _upsert_from_json_sql)


_Statement = Callable[[Table, Dialect, tuple[str, ...], tuple[str, ...]], str]


def _change(
    connection: Connection,
    table: Table,
    keys: tuple[str, ...],
    rows: Sequence[Row],
    each: _Statement,
    from_json: _Statement,
) -> None:
    if not rows:
        return
    dialect = connection.dialect
    # The keys come last, as they do in UPDATE's WHERE.
    names = (*(name for name in rows[0] if name not in keys), *keys)
    if dialect.name == "postgresql":
        connection.exec_driver_sql(from_json(table, dialect, names, keys), (orjson.dumps(rows).decode(),))
    else:
        values = _bound(table, dialect, names, rows)
        _execute(connection, each(table, dialect, names, keys), values)


# -- values ---------------------------------------------------------------------------------------------------


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


# -- past SQLAlchemy ----------------------------------------------------------------------------------------


@contextmanager
def _driver(connection: Connection, statement: str) -> Iterator[Any]:
    """Lend the driver's own connection; whoever catches SQLAlchemy's errors does not have to know."""
    base: Any = connection.dialect.loaded_dbapi.Error
    try:
        yield connection.connection.driver_connection
    except base as error:
        raise DBAPIError.instance(statement, None, error, base, dialect=connection.dialect) from error


def _execute(connection: Connection, statement: str, values: Iterable[tuple[Any, ...]]) -> None:
    """Execute a statement once for each row, one row in memory at a time."""
    with _driver(connection, statement) as driver, closing(driver.cursor()) as cursor:
        cursor.executemany(statement, values)


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


# -- statements -----------------------------------------------------------------------------------------------


def _quoted(name: str) -> str:
    return f'"{name}"'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


@lru_cache(maxsize=256)
def _insert_sql(table: Table, dialect: Dialect, names: tuple[str, ...]) -> str:
    marks = ", ".join([_mark(dialect)] * len(names))
    return f"INSERT INTO {_quoted(table.name)} ({_listed(names)}) VALUES ({marks})"  # noqa: S608 - our own names


def _mark(dialect: Dialect) -> str:
    return "?" if dialect.paramstyle == "qmark" else "%s"


@lru_cache(maxsize=256)
def _update_sql(table: Table, dialect: Dialect, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    mark = _mark(dialect)
    changes = ", ".join(f"{_quoted(name)} = {mark}" for name in names if name not in keys)
    where = " AND ".join(f"{_quoted(key)} = {mark}" for key in keys)
    return f"UPDATE {_quoted(table.name)} SET {changes} WHERE {where}"  # noqa: S608 - our own names


@lru_cache(maxsize=256)
def _upsert_sql(table: Table, dialect: Dialect, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    return _insert_sql(table, dialect, names) + _on_conflict(names, keys)


def _on_conflict(names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    changes = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in names if name not in keys)
    return f" ON CONFLICT ({_listed(keys)}) DO UPDATE SET {changes}"


@lru_cache(maxsize=256)
def _update_from_json_sql(table: Table, dialect: Dialect, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    changes = ", ".join(f"{_quoted(name)} = given.{_quoted(name)}" for name in names if name not in keys)
    where = " AND ".join(f"{_quoted(table.name)}.{_quoted(key)} = given.{_quoted(key)}" for key in keys)
    given = _from_json(table, dialect, names)
    return f"UPDATE {_quoted(table.name)} SET {changes} FROM {given} WHERE {where}"  # noqa: S608 - our own names


@lru_cache(maxsize=256)
def _upsert_from_json_sql(table: Table, dialect: Dialect, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    columns, given = _listed(names), _from_json(table, dialect, names)
    insert = f"INSERT INTO {_quoted(table.name)} ({columns}) SELECT {columns} FROM {given}"  # noqa: S608 - our own names
    return insert + _on_conflict(names, keys)


def _from_json(table: Table, dialect: Dialect, names: tuple[str, ...]) -> str:
    columns = ", ".join(f"{_quoted(name)} {table.c[name].type.compile(dialect)}" for name in names)
    return f"json_to_recordset(%s::json) AS given({columns})"
