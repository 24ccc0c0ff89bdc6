"""The rules of the language wall: stable ids, one sentence each, a hint to act on, an example.

Violations carry these ids. `python -m sandbox.language.rules` prints docs/language.md, whose table is made from
this file; a test holds the page to it and every example to its rule.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One way of being refused; `sentence` and `hint` may hold `{name}`.

    An example that starts with "= " is a Python expression that makes the source.
    """

    id: str
    sentence: str
    hint: str
    example: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One place in a source that breaks a rule; lines and columns count from 1."""

    line: int
    column: int
    rule: str
    message: str
    hint: str

    def as_dict(self) -> dict[str, object]:
        """Return the form that goes over the wire."""
        return asdict(self)


_RULES = (
    Rule("source-too-large", "The source is larger than {name}.",
         "Write a shorter bot; data does not belong in the source.", "= 'x = 1\\n' * 20000"),
    Rule("source-encoding", "The source is not valid UTF-8 text: {name}.",
         "Save the file as UTF-8 without NUL or surrogate characters.", "= b'# \\xff'"),
    Rule("syntax", "Python cannot read this: {name}.",
         "Correct the syntax; the answer must be one complete Python file.", "x = ("),
    Rule("too-complex", "The source is too deeply nested or too long: {name}.",
         "Split long expressions and deep nesting into smaller steps.", "= 'x = ' + 'not ' * 500 + '1'"),
    Rule("import-not-offered", "Module '{name}' is not offered to bots.",
         "{hint}", "import os\nos.getcwd()"),
    Rule("import-name", "'{name}' is not offered.", "{hint}", "from math import nothing_such"),
    Rule("import-star", "`from {name} import *` is not allowed.",
         "Name what you need: `from {name} import ...`.", "from math import *"),
    Rule("import-relative", "Relative imports are not allowed.",
         "A bot is one file; put everything into it.", "from . import helper"),
    Rule("builtin-not-offered", "The built-in '{name}' is not offered to bots.", "{hint}",
         "open('file')"),
    Rule("dunder-attribute", "The attribute '{name}' is not allowed.",
         "Special attributes lead into the interpreter; use ordinary attributes and functions.",
         "().__class__.__subclasses__()"),
    Rule("dunder-name", "The name '{name}' is not allowed here.",
         "Choose a name without leading and trailing double underscores.", "__path__ = 1"),
    Rule("dunder-method", "The method '{name}' may not be defined.",
         "Use ordinary methods or another special method.",
         "class A:\n    def __getattribute__(self, n): return 1"),
    Rule("inspect-attribute", "The attribute '{name}' belongs to the interpreter's internals.",
         "Bots cannot inspect frames, code or tracebacks; log what you need with ctx.log.",
         "x = (i for i in []).gi_frame"),
    Rule("reserved-name", "The name '{name}' is reserved.",
         "Choose another name.", "_getattr_ = 1"),
    Rule("async", "Asynchronous code has no meaning in a bot.",
         "Write plain functions; on_tick is called once a tick.", "async def f(): pass"),
    Rule("except-star", "`except*` is not allowed.",
         "Use plain `except`.", "try:\n    pass\nexcept* ValueError:\n    pass"),
    Rule("type-alias", "The `type` statement is not allowed.",
         "Write `Name = ...` instead.", "type X = int"),
    Rule("super-use", "`super` may only be used as `super().name(...)`.",
         "Call the parent's method directly: `super().method(...)`.", "s = super"),
    Rule("metaclass", "The class '{name}' uses a metaclass of its own.",
         "Use `__init_subclass__`, a class decorator or a plain function instead.",
         "class Meta(type): pass"),
    Rule("match-attribute", "The pattern reads the attribute '{name}', which is not allowed.",
         "Match on the class, then read the attribute in the body.",
         "match x:\n    case object(__dict__=d): pass"),
    Rule("match-args", "`__match_args__` must be a tuple of plain attribute names.",
         "Write `__match_args__ = ('x', 'y')` with ordinary names.",
         "class A:\n    __match_args__ = ('gi_frame',)"),
    Rule("not-allowed", "{name} is not allowed here.",
         "Write this in plainer Python.", "class A(**{}): pass"),
    Rule("load-failed", "The bot fails while it is loaded: {name}.",
         "Code at module level must run without ctx and without prices; move it into init or on_tick.",
         "1 / 0"),
    Rule("name-missing", "NAME is missing.", 'Add `NAME = "My Bot"` at the top of the file.',
         'SYMBOLS = ["X"]\ndef on_tick(ctx, tick): pass'),
    Rule("name-invalid", "NAME is not usable: {name}.",
         "NAME must be a text of 1 to 80 visible characters.",
         'NAME = [1]\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick): pass'),
    Rule("symbols-missing", "SYMBOLS is missing.",
         'Add `SYMBOLS = ["BTCUSDT"]` with the symbols the bot trades.', 'NAME = "a"\ndef on_tick(ctx, tick): pass'),
    Rule("symbols-invalid", "SYMBOLS is not usable: {name}.",
         "SYMBOLS must be a list of 1 to 100 symbol names.",
         'NAME = "a"\nSYMBOLS = "X"\ndef on_tick(ctx, tick): pass'),
    Rule("on-tick-missing", "on_tick(ctx, tick) is missing.",
         "Define `def on_tick(ctx, tick):` at module level.",
         'NAME = "a"\nSYMBOLS = ["X"]'),
    Rule("on-tick-invalid", "on_tick cannot be called as on_tick(ctx, tick): {name}.",
         "Define `def on_tick(ctx, tick):` as a plain function with two parameters.",
         'NAME = "a"\nSYMBOLS = ["X"]\ndef on_tick(): pass'),
    Rule("init-invalid", "init cannot be called as init(ctx): {name}.",
         "Define `def init(ctx):` as a plain function with one parameter.",
         'NAME = "a"\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick): pass\ndef init(): pass'),
    Rule("load-limit", "The bot was stopped while it was being loaded: it {name}.",
         "Keep module level code short; it may use 2 s of CPU.", "while True: pass"),
)  # fmt: skip

RULES = {rule.id: rule for rule in _RULES}


def violation(rule: str, line: int, column: int, name: str = "", hint: str = "") -> Violation:
    """Return a violation of the rule with its sentence filled in."""
    known = RULES[rule]
    sentence = known.sentence.replace("{name}", name)
    advice = known.hint.replace("{name}", name).replace("{hint}", hint)
    return Violation(line, column, rule, sentence, advice)


_PAGE = """# What a bot may write

Bots are ordinary Python, checked before they run: {count} rules say what is refused. A refusal names
the line, the column, the rule, and what to write instead; all of a source's violations are reported
at once. An import that is not offered and that nothing uses is left out, with a warning. Everything else
behaves as in plain Python. How the wall is built is told in
`sandbox/README.md`; this page is printed by `python -m sandbox.language.rules`.

| Rule | What is wrong | What to do | Example |
|---|---|---|---|
{rows}
"""


def page() -> str:
    """Return docs/language.md."""
    rows = []
    for rule in RULES.values():
        hint = rule.hint if rule.hint != "{hint}" else "The message says what to use instead."
        kind, text = ("made by ", rule.example[2:]) if rule.example[:2] == "= " else ("", rule.example)
        lines = "<br>".join(f"`{_cell(line)}`" for line in text.splitlines())
        rows.append(f"| `{rule.id}` | {_cell(rule.sentence)} | {_cell(hint)} | {kind}{lines} |")
    return _PAGE.format(count=len(RULES), rows="\n".join(rows))


def _cell(text: str) -> str:
    return text.replace("{name}", "…").replace("|", "\\|").replace("    ", "\u00a0\u00a0\u00a0\u00a0")


if __name__ == "__main__":
    print(page(), end="")
