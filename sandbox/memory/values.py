"""Kinds of the library's own values: exact numbers, dates, chance, arrays, loggers."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import random
import re
import statistics
import time
import zoneinfo
from typing import Any

import numpy as np

from sandbox.language.modules.text import Logger
from sandbox.memory.kinds import CannotRestoreError, Get, Kind, no_parts, register
from sandbox.memory.walk import CannotSaveError, Walk

# -- exact numbers -----------------------------------------------------------------------------------------


def _make_decimal(parts: Any, _get: Get, own: Any) -> Any:
    if type(parts) is not str:
        raise CannotRestoreError("a decimal that is none")
    return decimal.Decimal.__new__(own or decimal.Decimal, parts)


register(Kind("decimal", lambda value, _w: decimal.Decimal.__str__(value), _make_decimal), decimal.Decimal)


def _whole(*numbers: Any) -> None:
    if not all(type(number) is int for number in numbers):
        raise CannotRestoreError("a number that is not whole")


def _make_fraction(parts: Any, _get: Get, own: Any) -> Any:
    _whole(*parts)
    if parts[1] <= 0:
        raise CannotRestoreError("a fraction that cannot be")
    made: Any = object.__new__(own or fractions.Fraction)
    _NUMERATOR.__set__(made, parts[0])
    _DENOMINATOR.__set__(made, parts[1])
    return made


_NUMERATOR: Any = fractions.Fraction.__dict__["_numerator"]
_DENOMINATOR: Any = fractions.Fraction.__dict__["_denominator"]
register(
    Kind("fraction", lambda value, _w: (_NUMERATOR.__get__(value), _DENOMINATOR.__get__(value)), _make_fraction),
    fractions.Fraction,
)  # fmt: skip

_SHAPE: Any = [statistics.NormalDist.__dict__[name] for name in ("_mu", "_sigma")]


def _make_normal(parts: Any, _get: Get, own: Any) -> Any:
    made: Any = object.__new__(own or statistics.NormalDist)
    for member, number in zip(_SHAPE, parts, strict=True):
        if type(number) not in {int, float}:
            raise CannotRestoreError("a distribution that cannot be")
        member.__set__(made, number)
    return made


def _normal_parts(value: Any, _walk: Walk) -> Any:
    parts = [member.__get__(value) for member in _SHAPE]
    if not all(type(number) in {int, float} for number in parts):
        raise CannotSaveError("a NormalDist of other numbers than floats")
    return parts


register(Kind("normal distribution", _normal_parts, _make_normal), statistics.NormalDist)

_CONTEXT = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


def read_context(value: decimal.Context) -> Any:
    """Return all of a decimal context: its settings, flags and traps."""
    signals = sorted(signal.__name__ for signal, is_on in value.flags.items() if is_on)
    traps = sorted(signal.__name__ for signal, is_on in value.traps.items() if is_on)
    return [getattr(value, name) for name in _CONTEXT], signals, traps


def fill_context(value: decimal.Context, content: Any) -> None:
    """Put a decimal context back."""
    settings, flags, traps = content
    for name, setting in zip(_CONTEXT, settings, strict=True):
        setattr(value, name, setting)
    for table, on in ((value.flags, flags), (value.traps, traps)):
        for signal in table:
            table[signal] = signal.__name__ in on


register(
    Kind("decimal context", no_parts, lambda *_: decimal.Context(), lambda value, _w: read_context(value),
         lambda value, content, _get: fill_context(value, content)),
    decimal.Context,
)  # fmt: skip

# -- dates -------------------------------------------------------------------------------------------------


def _date_parts(value: Any, _walk: Walk) -> Any:
    read = dt.date.__dict__
    return [read[name].__get__(value) for name in ("year", "month", "day")]


def _clock_parts(value: Any, walk: Walk) -> Any:
    read = (dt.datetime if isinstance(value, dt.datetime) else dt.time).__dict__
    numbers = [read[name].__get__(value) for name in ("hour", "minute", "second", "microsecond")]
    return [*numbers, walk.put(read["tzinfo"].__get__(value), (".", "tzinfo")), read["fold"].__get__(value)]


def _make_clock(kind: Any, parts: Any, get: Get, own: Any) -> Any:
    *numbers, zone, fold = parts
    _whole(*numbers, fold)
    return kind.__new__(own or kind, *numbers, get(zone), fold=fold)


def _make_date(parts: Any, _get: Get, own: Any) -> Any:
    _whole(*parts)
    return dt.date.__new__(own or dt.date, *parts)


def _make_delta(parts: Any, _get: Get, own: Any) -> Any:
    _whole(*parts)
    return dt.timedelta.__new__(own or dt.timedelta, *parts)


def _delta_parts(value: Any, _walk: Walk) -> Any:
    read = dt.timedelta.__dict__
    return [read[name].__get__(value) for name in ("days", "seconds", "microseconds")]


register(Kind("date", _date_parts, _make_date), dt.date)
register(
    Kind("datetime", lambda value, walk: _date_parts(value, walk) + _clock_parts(value, walk),
         lambda parts, get, own: _make_clock(dt.datetime, parts, get, own)),
    dt.datetime,
)  # fmt: skip
register(Kind("time", _clock_parts, lambda parts, get, own: _make_clock(dt.time, parts, get, own)), dt.time)
register(Kind("timedelta", _delta_parts, _make_delta), dt.timedelta)
register(
    Kind("timezone", lambda value, walk: walk.values(value.__getinitargs__()),
         lambda parts, get, _o: dt.timezone(*map(get, parts))),
    dt.timezone,
)  # fmt: skip


def _make_zone(parts: Any, get: Get, _own: Any) -> Any:
    return get.world.library.things["zoneinfo", "ZoneInfo"](parts)  # type: ignore[attr-defined]


register(Kind("named zone", lambda value, _w: value.key, _make_zone), zoneinfo.ZoneInfo)
register(Kind("zone", no_parts, lambda _p, _g, own: dt.tzinfo.__new__(own or dt.tzinfo)), dt.tzinfo)
register(
    Kind("struct time", lambda value, _w: list(tuple.__iter__(value)), lambda parts, _g, _o: time.struct_time(parts)),
    time.struct_time,
)  # fmt: skip

# -- chance ------------------------------------------------------------------------------------------------


def _fill_random(value: Any, content: Any, _get: Get) -> None:
    version, numbers, gauss = content
    random.Random.setstate(value, (version, tuple(numbers), gauss))


def _random_content(value: Any, _walk: Walk) -> Any:
    version, numbers, gauss = random.Random.getstate(value)
    return version, list(numbers), gauss


register(
    Kind("random", no_parts, lambda _p, _g, own: random.Random.__new__(own or random.Random), _random_content,
         _fill_random),
    random.Random,
)  # fmt: skip


def _generator_content(value: Any, _walk: Walk) -> Any:
    return value.bit_generator.state


def _fill_generator(value: Any, content: Any, _get: Get) -> None:
    state = content["state"]
    _whole(state["state"], state["inc"], content["has_uint32"], content["uinteger"])
    value.bit_generator.state = content


def _generator_parts(value: Any, _walk: Walk) -> Any:
    if type(value.bit_generator) is not np.random.PCG64:
        raise CannotSaveError("a generator of another kind than default_rng's")


register(
    Kind("generator", _generator_parts, lambda *_: np.random.default_rng(0), _generator_content, _fill_generator),
    np.random.Generator,
)  # fmt: skip

_KEYS = 624


def read_old_chance(value: Any) -> Any:
    """Return the state of numpy's older generator."""
    _, key, position, has_gauss, gauss = value.get_state()
    return key.astype("<u4").tobytes(), int(position), int(has_gauss), float(gauss)


def fill_old_chance(value: Any, content: Any) -> None:
    """Put the state of numpy's older generator back; a position outside its key would be read past its end."""
    key, position, has_gauss, gauss = content
    _whole(position, has_gauss)
    if type(key) is not bytes or len(key) != 4 * _KEYS or not 0 <= position <= _KEYS or has_gauss not in {0, 1}:
        raise CannotRestoreError("a state that no generator has")
    value.set_state(("MT19937", np.frombuffer(key, "<u4"), position, has_gauss, float(gauss)))


register(
    Kind("random state", no_parts, lambda *_: np.random.RandomState(0), lambda value, _w: read_old_chance(value),
         lambda value, content, _get: fill_old_chance(value, content)),
    np.random.RandomState,
)  # fmt: skip

# -- arrays ------------------------------------------------------------------------------------------------

# Numbers, dates and texts; no objects, no records, no long doubles, whose padding is no value.
_DTYPE = re.compile(r"[<>|=]([?bB]1|[?bhilqBHILQefdFDiuc]\d{1,2}|[mM]8(\[\d*[A-Za-zμ]+\])?|[US]\d{1,6}|b1)")
_MOST_DIMENSIONS = 32


def _dtype_text(kind: Any) -> str:
    text = str(kind.str)
    if kind.hasobject or kind.names is not None or kind.subdtype is not None or not _DTYPE.fullmatch(text):
        raise CannotSaveError(f"an array of type {text}")
    if kind.itemsize > 8 and kind.kind in "fc" and kind.str[1:] != "c16":
        raise CannotSaveError("an array of long doubles")
    return text


def _dtype(text: Any) -> Any:
    if type(text) is not str or not _DTYPE.fullmatch(text):
        raise CannotRestoreError("a type that no array has")
    kind = np.dtype(text)
    if kind.hasobject or (kind.itemsize > 8 and kind.kind in "fc" and text[1:] != "c16"):
        raise CannotRestoreError("a type that no array has")
    return kind


def _is_whole(array: Any) -> bool:
    return bool(array.flags.owndata and (array.flags.c_contiguous or array.flags.f_contiguous))


def _array_parts(value: Any, walk: Walk) -> Any:
    text, shape = _dtype_text(value.dtype), list(value.shape)
    base = value.base
    if type(base) is np.ndarray and _is_whole(base):
        _dtype_text(base.dtype)
        offset = value.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        view = (walk.put(base), offset, list(value.strides))
        return text, shape, None, view, value.flags.writeable
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return text, shape, order, None, value.flags.writeable


def _make_array(parts: Any, get: Get, _own: Any) -> Any:
    text, shape, order, view, _ = parts
    kind = _dtype(text)
    _whole(*shape)
    if len(shape) > _MOST_DIMENSIONS or any(length < 0 for length in shape):
        raise CannotRestoreError("a shape that no array has")
    if view is None:
        return np.zeros(tuple(shape), kind, order="F" if order == "F" else "C")
    base, offset, strides = view
    whole = get(base)
    _whole(offset, *strides)
    if type(whole) is not np.ndarray or not _is_whole(whole) or whole.dtype.hasobject:
        raise CannotRestoreError("a part of what is not an array")
    # numpy itself refuses a part that reaches outside its buffer.
    flat = whole if whole.flags.c_contiguous else whole.T
    return np.ndarray(tuple(shape), kind, buffer=flat, offset=offset, strides=tuple(strides))


def _array_content(value: Any, _walk: Walk) -> Any:
    base = value.base
    if type(base) is np.ndarray and _is_whole(base):
        return (None, value.flags.writeable)
    _dtype_text(value.dtype)
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return (value.tobytes(order=order), value.flags.writeable)


def _fill_array(value: Any, content: Any, _get: Get) -> None:
    data, writeable = content
    if value.dtype.hasobject:
        raise CannotRestoreError("an array of objects")
    if data is not None:
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        given = np.frombuffer(data, value.dtype)
        if given.size != value.size:
            raise CannotRestoreError("an array of another size")
        if not value.flags.writeable:
            value.flags.writeable = True
        value[...] = np.reshape(given, value.shape, order="F" if order == "F" else "C")
    value.flags.writeable = bool(writeable)


register(Kind("array", _array_parts, _make_array, _array_content, _fill_array), np.ndarray)


def _make_scalar(parts: Any, _get: Get, _own: Any) -> Any:
    text, data = parts
    kind = _dtype(text)
    if type(data) is not bytes or len(data) != kind.itemsize:
        raise CannotRestoreError("a number of another size")
    return np.frombuffer(data, kind)[0]


SCALAR = register(
    Kind("numpy number", lambda value, _w: (_dtype_text(value.dtype), value.tobytes()), _make_scalar),
    *(kind for kind in {np.dtype(code).type for code in "?bhilqBHILQefdFDMmSU"}),
)  # fmt: skip
register(
    Kind("dtype", lambda value, _w: _dtype_text(value), lambda parts, _g, _o: _dtype(parts)),
    *{type(np.dtype(code)) for code in "?bhilqBHILQefdFDMmSU"},
)  # fmt: skip

# -- loggers -----------------------------------------------------------------------------------------------


def _make_logger(parts: Any, get: Get, _own: Any) -> Any:
    if type(parts) is not str:
        raise CannotRestoreError("a logger without a name")
    return get.world.library.things["logging", "getLogger"](parts)  # type: ignore[attr-defined]


def _fill_logger(value: Any, content: Any, _get: Get) -> None:
    _whole(content)
    value.threshold[0] = content


register(
    Kind("logger", lambda value, _w: value.name, _make_logger, lambda value, _w: value.threshold[0], _fill_logger),
    Logger,
)  # fmt: skip
