"""The table of everything that is let through to bots natively, and why each part of it is safe.

`python -m sandbox.language.reach` adds to `reach.txt` what this Python and this numpy have and the table lacks, and
prints it for review; a test fails on what a bot can reach and is in no line of the table. A line is a
category, the owner (a class, or the module a function is imported from) and the names. The table is the
union over the versions of Python that Arena runs on.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.language import builtin_names, names
from sandbox.language.modules import build
from sandbox.language.modules.facade import handed_out, names_of
from sandbox.language.modules.services import Services
from sandbox.language.universe import BASES, GUARDED_LOADS, MACHINERY, UNREACHABLE, host_types, is_allowed

TABLE = Path(__file__).with_name("reach.txt")
UNREVIEWED = "unreviewed"
# Why a category is safe; each line of the table is one of these.
CATEGORIES = {
    "computes": "returns only what follows from its arguments, and changes nothing but its own object",
    "container": "reads or changes an object that the bot made, and nothing beside it",
    "iterates": "yields what the bot's own objects give",
    "calls": "calls the bot's own functions with the bot's own objects",
    "array": "makes or changes numpy arrays, whose memory is cleared before it is used (modules/zeroes.py)",
    "chance": "draws from a generator that is seeded from the bot's own seed",
    "clock": "tells or formats the time of the tick, or a time it is given",
    "own facade": "is the sandbox's own code, which checks what it is given",
    "class tool": "changes or makes classes of the bot, which the sandbox checks afterwards",
    "exception": "carries what the bot, or the operation that failed, put into it",
    "mark": "is compared by identity, or describes its owner; nothing happens when it is read or called",
}
# What a new line is proposed as, by how its owner begins; the first that fits. Nothing fits: not reviewed.
_PROPOSED = (
    ("class tool", """abc. from|abc contextlib.ContextDecorator enum.auto enum._auto_null enum.member enum.nonmember
        enum.property enum.verify from|dataclasses from|enum dataclasses. typing.NamedTuple
        types.DynamicClassAttribute functools.cached_property builtins.type builtins.property
        builtins.classmethod builtins.staticmethod numpy._DTypeMeta"""),
    ("container", "builtins.mappingproxy"),
    ("calls", "from|builtins from|functools"),
    ("own facade", """from|copy from|json from|logging from|pprint from|textwrap
        from|traceback from|types from|typing from|typing_extensions from|warnings from|zoneinfo
        sandbox. string.Formatter arena."""),
    ("exception", """copy.Error json.decoder.JSONDecodeError numpy.linalg.LinAlgError re.error re.PatternError
        statistics.StatisticsError zoneinfo._common. decimal.DecimalException decimal.DivisionByZero
        decimal.Inexact decimal.InvalidOperation decimal.Overflow decimal.Rounded decimal.Subnormal
        decimal.Underflow builtins.BaseException builtins.UnicodeDecodeError builtins.UnicodeEncodeError
        builtins.SyntaxError builtins.OSError"""),
    ("clock", "from|time from|datetime time. datetime.date datetime.datetime"),
    ("chance", "from|random from|numpy.random random. _random. numpy.random."),
    ("mark", """builtins.NoneType builtins.NotImplementedType builtins.ellipsis builtins.object numpy._globals.
        dataclasses._ types.UnionType types.GenericAlias collections.abc._CallableGenericAlias enum. re.RegexFlag
        from|numbers from|numpy.typing builtins.slice numpy.dtypes. calendar. cython. collections.abc.Callable"""),
    ("calls", """functools. from|contextlib contextlib. builtins.function builtins.method builtins.builtin
        builtins.wrapper builtins.classmethod_descriptor builtins.getset builtins.member builtins.super
        builtins.module operator."""),
    ("iterates", """itertools. from|itertools builtins.enumerate builtins.filter builtins.map builtins.zip
        builtins.reversed builtins.generator builtins.callable_iterator collections.abc.Generator
        collections.abc.Iterator collections.abc.Iterable collections.abc.Async collections.abc.Awaitable
        collections.abc.Coroutine"""),
    ("array", "numpy. from|numpy from|numpy.fft from|numpy.linalg"),
    ("container", """collections. _collections. from|collections from|collections.abc builtins.list builtins.dict
        builtins.odict
        builtins.set builtins.frozenset builtins.tuple builtins.bytearray builtins.mappingproxy from|heapq
        from|bisect types.SimpleNamespace"""),
    ("computes", """builtins.str builtins.bytes builtins.int builtins.float builtins.complex builtins.bool
        builtins.range builtins.longrange decimal. fractions. numbers. statistics. re. _sre. datetime. zoneinfo.
        from|math from|cmath from|calendar from|decimal from|fractions from|operator from|re from|statistics
        from|string weakref. sys.float_info sys.int_info sys.version_info"""),
)  # fmt: skip
_OURS = {
    "from builtins": "print getattr setattr delattr hasattr type vars __import__",
    "from functools": "update_wrapper wraps total_ordering singledispatch",
    "from numpy": "empty empty_like fromiter ndarray",
    "from numpy.lib.stride_tricks": "sliding_window_view",
}
Key = tuple[str, str]


def label(kind: type) -> str:
    """Return the name of a class in the table."""
    home = kind.__module__
    if type(home) is not str or home.startswith("_cython"):
        home = "cython"  # it names its version
    return f"{home}.{kind.__qualname__}".replace(" ", "_")


def owner_of(kind: type, name: str) -> type:
    """Return the class that defines an attribute."""
    return next((base for base in type.mro(kind) if name in base.__dict__), kind)


def gives_out(kind: type, name: str) -> bool:
    """Say whether objects of a host class, or the class itself, give a bot this attribute."""
    if names.is_dunder(name):
        # A bot's own class gives out what it has from these, and `super()` with it.
        inherited = kind in BASES or issubclass(kind, BaseException | type)
        return name in names.METHODS and (name not in names.BUILDERS or inherited)
    if names.is_inspect(name) or name in MACHINERY:
        return False
    return name not in GUARDED_LOADS or is_allowed(kind, name)


def of_class(kind: type) -> Iterator[Key]:
    """Yield what a class and its objects give out, by the class that defines it."""
    for name in _names_in(kind):
        if gives_out(kind, name):
            yield label(owner_of(kind, name)), name


def _names_in(kind: type) -> set[str]:
    # An enumeration's own `__dir__` would leave some out.
    return {name for base in type.mro(kind) for name in base.__dict__}


def unwrapped(member: Any) -> list[Any]:
    """Return a member of a class with the functions that it wraps."""
    inner = [getattr(member, name, None) for name in ("fget", "fset", "fdel", "func", "__func__", "__wrapped__")]
    return [member, *(one for one in inner if callable(one))]


def reachable() -> set[Key]:
    """Return every name that bots get natively on this Python."""
    found, kinds = _walk()
    for kind in kinds:
        found.add((label(kind), "*"))
        found.update(of_class(kind))
    return found


def members() -> dict[int, Key]:
    """Return the place in the table of every class member that bots get natively, by its id."""
    return {
        id(one): (label(owner), name)
        for kind in _walk()[1]
        for owner, name in ((owner_of(kind, name), name) for name in _names_in(kind) if gives_out(kind, name))
        for one in unwrapped(owner.__dict__.get(name))
    }


def _walk() -> tuple[set[Key], set[type]]:
    services = Services()
    modules = build(services)
    offered = builtin_names.build(services, modules)
    found: set[Key] = set()
    kinds: set[type] = {*host_types(), *BASES, *handed_out()}
    for module, members in (("builtins", offered), *((name, facade.__dict__) for name, facade in modules.items())):
        listed = offered if module == "builtins" else names_of(modules[module])
        for name in listed:
            if isinstance(members[name], type):
                kinds.add(members[name])
            if callable(members[name]):
                found.add((f"from {module}", name))
    kinds |= {base for kind in kinds for base in type.mro(kind)}
    return found, kinds - set(UNREACHABLE)


def read() -> dict[Key, str]:
    """Return the table: a category for each owner and name."""
    table: dict[Key, str] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            category, owner, listed = (part.strip() for part in line.split("|"))
            table.update({(owner, name): category for name in listed.split()})
    return table


def propose(owner: str, name: str) -> str:
    """Return the category that a new entry is proposed as."""
    if name in _OURS.get(owner, "").split():
        return "own facade"
    start = owner.replace(" ", "|")
    for category, begins in _PROPOSED:
        for begin in begins.split():
            if start == begin or (start.startswith(begin) and (begin.endswith(".") or "|" not in begin)):
                return category
    is_exception = isinstance(getattr(builtins, owner.removeprefix("builtins."), None), type)
    return "exception" if is_exception and owner.startswith("builtins.") else UNREVIEWED


def write(table: dict[Key, str]) -> None:
    """Write the table."""
    lines: dict[tuple[str, str], list[str]] = {}
    for (owner, name), category in sorted(table.items()):
        lines.setdefault((category, owner), []).append(name)
    reasons = [f"#   {category}: {why}" for category, why in CATEGORIES.items()]
    title = (
        "# What bots get natively: category | owner | names. Made by `python -m sandbox.language.reach`, then reviewed."
    )
    body = [f"{category} | {owner} | {' '.join(found)}" for (category, owner), found in sorted(lines.items())]
    TABLE.write_text("\n".join([title, *reasons, "", *body, ""]), encoding="utf-8")


def main() -> None:
    """Add what is missing to the table, and print it."""
    table = read() if TABLE.exists() else {}
    missing = {key: propose(*key) for key in reachable() - table.keys()}
    write(table | missing)
    for (owner, name), category in sorted(missing.items()):
        print(f"{category} | {owner} | {name}")


if __name__ == "__main__":
    main()
