"""Which names a bot's source may use, and in which way; pure tables and their two questions."""

from __future__ import annotations

import types

from RestrictedPython.transformer import INSPECT_ATTRIBUTES

# The stock kit's guard names. Ours cannot be spelt in Python at all (they start with "@"), so these
# could be harmless; they are refused so that nobody mistakes an attempt for an accident.
RESERVED = frozenset({
    "_getattr_", "_getitem_", "_getiter_", "_write_", "_print_", "_print", "_apply_",
    "_inplacevar_", "_unpack_sequence_", "_iter_unpack_sequence_", "__metaclass__",
    "__builtins__", "__import__", "__build_class__", "__debug__", "__loader__", "__spec__",
    "__class__", "__classdict__", "super",
})  # fmt: skip

# Interpreter internals: RestrictedPython's own list, and whatever else these types show on the Python
# that runs. Exact names, so that a bot's own `self.func_calls` or `self.co_moves` stays its own.
_INTERNAL_TYPES = (types.FrameType, types.CodeType, types.TracebackType, types.GeneratorType,
                   types.CoroutineType, types.AsyncGeneratorType)  # fmt: skip
_INTERNAL_PREFIXES = ("gi_", "cr_", "ag_", "tb_", "f_", "co_")
# What functions compiled by Cython (all of numpy.random) call their globals, code and defaults.
_CYTHON = frozenset({"func_globals", "func_code", "func_closure", "func_defaults", "func_dict",
                     "func_doc", "func_name"})  # fmt: skip
INTERNAL = (
    frozenset(INSPECT_ATTRIBUTES)
    | _CYTHON
    | {name for kind in _INTERNAL_TYPES for name in dir(kind) if name.startswith(_INTERNAL_PREFIXES)}
)

# Special methods a bot may define in its classes and call by name. Left out are those that change
# how the interpreter treats the class itself, or that run at odd times (__del__, __setattr__, ...).
_METHOD_WORDS = """
    init new post_init repr str bytes bool hash format index int float complex round trunc floor
    ceil abs neg pos invert len length_hint getitem setitem delitem missing iter next reversed
    contains call enter exit lt le eq ne gt ge get set delete set_name init_subclass
    class_getitem getattr copy deepcopy add sub mul matmul truediv floordiv mod divmod pow lshift
    rshift and xor or radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift
    rand rxor ror iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ixor ior
"""
METHODS = frozenset(f"__{name}__" for name in _METHOD_WORDS.split())

# Special names that may be read or bound as plain names; in a class also every special method, as in
# `__radd__ = __add__`.
READABLE = frozenset({"__name__", "__doc__", "__file__"})
BINDABLE = frozenset({"__all__", "__version__", "__author__", "__license__", "__date__", "__doc__"})
CLASS_BINDABLE = BINDABLE | METHODS | {"__slots__", "__match_args__"}

# Special attributes that a guard answers at run time; the second group also by `getattr` and `hasattr`.
GUARDED_DUNDERS = frozenset({"__name__", "__qualname__", "__doc__", "__class__", "__dict__",
                             "__members__", "__version__", "__dataclass_fields__"})  # fmt: skip
DYNAMIC_DUNDERS = METHODS | {"__name__", "__qualname__", "__doc__", "__members__", "__version__",
                             "__dataclass_fields__"}  # fmt: skip

# Special methods of host objects that do more than their operator: they build, bind or describe.
BUILDERS = frozenset({"__init__", "__new__", "__post_init__", "__get__", "__set__", "__delete__",
                      "__set_name__", "__init_subclass__", "__getattr__", "__deepcopy__"})  # fmt: skip

# Of these, what `super()` gives only through a guard; the rest does nothing to objects but the bot's own.
GUARDED_ON_SUPER = frozenset({"__new__", "__deepcopy__", "__get__", "__set__", "__delete__", "__set_name__",
                              "__getattr__"})  # fmt: skip


# What library code puts into a bot's own classes, and keeps.
MACHINERY = frozenset({"_abc_impl"})


def is_dunder(name: str) -> bool:
    """Say whether a name has two underscores on both sides."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def is_inspect(name: str) -> bool:
    """Say whether an attribute belongs to frames, code, generators or tracebacks."""
    return name in INTERNAL


def is_plain(name: object) -> bool:
    """Say whether a bot may store under this name; the interpreter and numpy ask objects for all others."""
    return type(name) is str and not (is_dunder(name) or is_inspect(name) or name.startswith("@"))


def is_method_name(name: str) -> bool:
    """Say whether a special method may be defined or called by its name."""
    return name in METHODS
