"""Finds the bot in a model's answer, in whatever a model wraps it.

The answer is looked at in several views (as it is, without quote marks, out of JSON, ...). Each view gives
candidates; only a text that Python can parse and that defines NAME, SYMBOLS and on_tick is a whole bot.
"""

from __future__ import annotations

import ast
import html
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from arena.submissions import syntax
from arena.submissions.patches import apply_patch
from arena.submissions.pruning import without_unused_imports

_INVISIBLE = re.compile("[\ufeff\u200b-\u200d\u2060\u00ad]")
_THOUGHT = re.compile(r"<(/?)(?:think(?:ing)?|thoughts?|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r"^(?P<before>[^\n`~]*?)(?P<mark>`{3,}|~{3,})(?P<info>[^\n`]*)$", re.MULTILINE)
_TAGGED = re.compile(r"<(code|pre)\b[^>\n]{0,200}>(.*?)(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r"^[ \t]*> ?", re.MULTILINE)
_SESSION = re.compile(r"^[ \t]*(?:>>>|\.\.\.)(?: |$)")
_CODE_START = re.compile(r"^(?:\"\"\"|'''|#|from \w|import \w|NAME\b|SYMBOLS\b|@|def |class )", re.MULTILINE)
_CODE_FIELDS = ("code", "source", "bot", "file", "content", "python", "text", "answer")
_MARKS = ("def on_tick", "SYMBOLS", "NAME")
_PLAIN = {"\u00a0": " ", "\u202f": " ", "\u2007": " ", "\u3000": " ", "\u2212": "-", "\u2010": "-", "\u2011": "-",
          "\u2013": "-", "\u2014": "-"}  # fmt: skip
_QUOTES = {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"', "\u00ab": '"', "\u00bb": '"'}
_APOSTROPHES = {"\u2018": "'", "\u2019": "'", "\u201a": "'", "\u2032": "'"}
# Blocks in these languages hold no bot unless they define on_tick all the same.
_FOREIGN = frozenset({"json", "bash", "sh", "shell", "console", "zsh", "html", "diff", "toml", "yaml", "text", "txt",
                      "markdown", "md", "output", "csv", "ini"})  # fmt: skip
_CODE_LINE = re.compile(
    r"\s|[@#)\]}\"']|(?:def|class|import|from|if|elif|else|for|while|try|with|return)\b.*[:(=]|[\w.]+\s*(?:[=(\[]|\+=)"
)
_MOST_CANDIDATES = 400
_MOST_FENCES = 60
_MOST_CUTS = 40


@dataclass(slots=True)
class Extracted:
    """A bot's source; `closed` says that its end was marked, `notes` what was changed in it."""

    source: str | None
    closed: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    closed: bool
    tree: ast.Module | None

    def rank(self) -> tuple[int, int, int]:
        """Return how much this looks like a whole bot: parsed, complete, no test, no stub."""
        if self.tree is None:
            marks = sum(mark in self.text for mark in _MARKS)
            return int(marks > 0), marks, -1
        parts = _parts(self.tree)
        whole = parts == 3 and not _is_test(self.tree)
        return 1 + whole, parts, int(whole and not _is_stub(self.tree))


@dataclass(frozen=True, slots=True)
class _Block:
    """What stands between two fences, and where it does."""

    body: str
    closed: bool
    start: int
    end: int


_NOTHING = (-1, 0, 0)
_WHOLE = (2, 3, 1)


def extract(answer: str) -> str | None:
    """Return the source of the bot in an answer, None if there is no code."""
    return extract_bot(answer).source


def extract_bot(answer: str, before: str | None = None) -> Extracted:
    """Return the bot in an answer; `before` is the source that a unified diff would change."""
    text = _INVISIBLE.sub("", answer.replace("\r\n", "\n").replace("\r", "\n"))
    best: _Candidate | None = None
    for view in _without_thoughts(text):
        for candidate in _candidates(view, before):
            # The last of equals: models that show a draft first give the finished file at the end.
            if best is None or candidate.rank() >= best.rank():
                best = candidate
        if best is not None and best.rank()[0] == 2:
            break
    if best is None:
        return Extracted(None)
    source = best.text.strip("\n") + "\n"
    source, notes = without_unused_imports(source) if best.tree is not None else (source, [])
    return Extracted(source, best.closed, notes)


def _without_thoughts(text: str) -> Iterator[str]:
    """Yield the text without its thoughts, then the whole text, where only the thoughts hold code.

    Thoughts stand between two marks, or before a closing one alone; one left open hides nothing.
    """
    kept, position, opened = [], 0, None
    for mark in _THOUGHT.finditer(text):
        if not mark.group(1):
            opened = mark.start() if opened is None else opened
        else:
            if opened is not None:
                kept.append(text[position:opened])
            else:
                kept = []
            position, opened = mark.end(), None
    yield "".join([*kept, text[position:]])
    if position:
        yield text


# -- views and candidates ----------------------------------------------------------------------------------


def _candidates(text: str, before: str | None) -> Iterator[_Candidate]:
    """Yield candidates, the less likely views first, so that the last of equals is the best."""
    left = _MOST_CANDIDATES
    for view in reversed(list(_views(text, 4))):
        blocks = list(_blocks(view))
        best = _NOTHING
        for block in blocks:
            for candidate in _read(block.body, before, closed=block.closed):
                yield candidate
                best = max(best, candidate.rank())
                left -= 1
                if left <= 0:
                    return
        if best < _WHOLE:
            others = [_joined(blocks), _bare(_outside(view, blocks))]
            yield from (candidate for candidate in others if candidate is not None)


def _outside(text: str, blocks: list[_Block]) -> str:
    kept, position = [], 0
    for block in blocks:
        kept.append(text[position : block.start])
        position = max(position, block.end)
    return "".join([*kept, text[position:]])


def _views(text: str, depth: int) -> Iterator[str]:
    yield text
    if depth == 0:
        return
    for unwrapped in dict.fromkeys(_unwrapped(text)):
        inner = _INVISIBLE.sub("", unwrapped)
        if inner and inner != text:
            yield from _views(inner, depth - 1)


def _unwrapped(text: str) -> Iterator[str]:
    lines = text.split("\n")
    filled = [line.lstrip() for line in lines if line.strip()]
    quoted = sum(line.startswith(">") and not line.startswith(">>>") for line in filled)
    if quoted:
        yield "\n".join(_QUOTED.sub("", line) for line in lines if line.lstrip().startswith(">") or not line.strip())
        if 2 * quoted > len(filled):
            # Quote marks come off before anything within them is looked at.
            return
    yield from _from_json(text)
    yield from (_tagged(match) for match in _TAGGED.finditer(text))
    if any(line.startswith(">>>") for line in filled):
        yield "\n".join(_SESSION.sub("", line) for line in lines if _SESSION.match(line))
    indented = [line for line in lines if line.startswith(("  ", "\t")) or not line.strip()]
    if any(line.strip() for line in indented) and any(line[:1].strip() for line in lines):
        yield textwrap.dedent("\n".join(indented))
    dedented = textwrap.dedent(text)
    if dedented != text:
        yield dedented


def _tagged(match: re.Match[str]) -> str:
    """Return what stands in an HTML tag, without the indentation of the tag's own line."""
    line = match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()]
    indent = line[: len(line) - len(line.lstrip())]
    lines = re.sub(r"</?code[^>\n]{0,200}>", "", match[2]).split("\n")
    return html.unescape("\n".join(line.removeprefix(indent) if line.strip() else "" for line in lines))


def _from_json(text: str) -> Iterator[str]:
    """Yield the texts in a JSON object with a `code` field, or the code cells of a notebook."""
    decoder = json.JSONDecoder(strict=False)
    for start in [m.start() for m in re.finditer(r"(?<![\w\"'])[\[{](?=\s*[\"{\[])", text)][:20]:
        try:
            found, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        inner = _code_in(found, 4)
        if inner is not None:
            yield inner
            return


def _code_in(found: Any, depth: int) -> str | None:
    """Return the bot's code in a JSON value, however deep, None where there is none."""
    if isinstance(found, str):
        return found if "def on_tick" in found else None
    if isinstance(found, list) and found and all(isinstance(line, str) for line in found):
        return _code_in(_lines(found), depth)
    inner: list[Any] = found if isinstance(found, list) else []
    if isinstance(found, dict):
        if isinstance(found.get("cells"), list):
            return _code_in(_cells(found["cells"]), depth)
        inner = [found[key] for key in sorted(found, key=lambda key: key not in _CODE_FIELDS)]
    if depth == 0:
        return None
    return next((code for item in inner if (code := _code_in(item, depth - 1)) is not None), None)


def _lines(found: list[str]) -> str:
    return "".join(found) if any(line.endswith("\n") for line in found[:-1]) else "\n".join(found)


def _cells(cells: list[Any]) -> str:
    """Return the code cells of a notebook as one file."""
    code = [c.get("source", "") for c in cells if isinstance(c, dict) and c.get("cell_type", "code") == "code"]
    return "\n\n".join(_lines(s) if isinstance(s, list) else str(s) for s in code)


def _blocks(text: str) -> Iterator[_Block]:
    """Yield what stands between fences; an end that leaves whole code is better than the first one."""
    fences = list(_FENCE.finditer(text))[:_MOST_FENCES]
    position = 0
    for number, opening in enumerate(fences):
        if opening.start() < position:
            continue
        start = min(len(text), opening.end() + 1)
        ends = [
            end
            for end in fences[number + 1 :]
            if end["mark"][0] == opening["mark"][0]
            and not end["info"].strip()
            and len(end["mark"]) >= len(opening["mark"])
        ]
        # A mark behind code on the last line closes the block; what stands before it is code.
        bodies = [(_dedented(text[start : end.start("mark")], opening["before"]), end.end()) for end in ends[:12]]
        found = next(((b, e) for b, e in bodies if _defines_tick(b)), None)
        found = found or next(((b, e) for b, e in bodies if _parsed(b) is not None), None) or next(iter(bodies), None)
        body, end_of_block = found or (_dedented(text[start:], opening["before"]), None)
        if end_of_block is not None:
            position = end_of_block
        language = (opening["info"].split() or [""])[0].lower()
        if language not in _FOREIGN or "on_tick" in body or "@@" in body:
            yield _Block(body, end_of_block is not None, opening.start(), end_of_block or opening.end())


def _defines_tick(text: str) -> bool:
    tree = _parsed(text)
    return tree is not None and "on_tick" in _defined(tree)


def _dedented(body: str, before: str) -> str:
    """Take off the indentation of a fence in a list or a docstring, and quote marks before its lines."""
    if before.strip() in {">", ">>"}:
        body = "\n".join(_QUOTED.sub("", line) for line in body.split("\n"))
    lines = body.split("\n")
    if lines and not lines[-1].strip():
        lines[-1] = ""
    return textwrap.dedent("\n".join(line if line.strip() else "" for line in lines)) if _indented(lines) else body


def _indented(lines: list[str]) -> bool:
    filled = [line for line in lines if line.strip()]
    return bool(filled) and all(line[0] in " \t" for line in filled)


def _read(body: str, before: str | None, *, closed: bool) -> Iterator[_Candidate]:
    """Yield the candidates that one block holds."""
    if not body.strip():
        return
    patched = apply_patch(body, before)
    if patched is not None:
        yield _Candidate(patched, closed, _parsed(patched))
        return
    for view in _views(body, 2):
        text, tree = _repaired(view)
        if tree is None and not closed:
            text, tree = _longest_prefix(view)
        yield _Candidate(text, closed, tree)
        if tree is not None:
            return


def _joined(blocks: list[_Block]) -> _Candidate | None:
    """Return a file that was split over several blocks, where none of them is a whole bot."""
    sound = []
    for block in blocks:
        text, tree = _repaired(block.body)
        if tree is not None and tree.body and not _is_test(tree) and not (_parts(tree) == 3 and _is_stub(tree)):
            sound.append((text, _defined(tree)))
    text = "\n\n".join(text.strip("\n") for text, _ in sound) + "\n"
    found = set().union(*(names for _, names in sound))
    if len(sound) < 2 or not found >= {"NAME", "SYMBOLS", "on_tick"}:
        return None
    return _Candidate(text, all(block.closed for block in blocks), _parsed(text))


def _bare(text: str) -> _Candidate | None:
    """Return code that stands in no fence: from its first line as far as it parses."""
    if "on_tick" not in text:
        return None
    best: _Candidate | None = None
    for start in list(_CODE_START.finditer(text))[:12]:
        found, tree = _longest_prefix(text[start.start() :])
        candidate = _Candidate(found, False, tree)
        if best is None or candidate.rank() > best.rank():
            best = candidate
        if candidate.rank()[0] == 2:
            break
    return best


# -- reading code ------------------------------------------------------------------------------------------


def _parsed(text: str) -> ast.Module | None:
    try:
        return syntax.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _translation(table: dict[str, str]) -> dict[int, str]:
    return {ord(odd): plain for odd, plain in table.items()}


def _repaired(text: str) -> tuple[str, ast.Module | None]:
    """Return code that parses, with typographic marks made plain only where it does not parse without."""
    tree = _parsed(text)
    tables: list[dict[str, str]] = [_PLAIN, {**_PLAIN, **_QUOTES}, {**_PLAIN, **_QUOTES, **_APOSTROPHES}]
    for table in tables:
        if tree is not None:
            return text, tree
        plain = text.translate(_translation(table))
        tree = _parsed(plain)
        if tree is not None:
            return plain, tree
    return text, None


def _longest_prefix(text: str) -> tuple[str, ast.Module | None]:
    """Return the longest beginning that parses, without prose at its end that happens to."""
    found = text
    for _ in range(_MOST_CUTS):
        repaired, tree = _repaired(found)
        if tree is not None:
            return _without_last_words(repaired, tree)
        line = _error_line(repaired)
        lines = found.split("\n")
        if line is None or line < 2 or not found.strip():
            break
        dropped = lines[min(line - 1, len(lines) - 1) :]
        first = next((words for words in dropped if words.strip()), "")
        if _CODE_LINE.match(first):
            # What does not parse is code: the file was cut off, and its beginning is another bot.
            break
        found = "\n".join(lines[: min(line - 1, len(lines) - 1)])
    return text, None


def _error_line(text: str) -> int | None:
    try:
        syntax.parse(text.translate(_translation({**_PLAIN, **_QUOTES, **_APOSTROPHES})))
    except SyntaxError as error:
        return error.lineno
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def _without_last_words(text: str, tree: ast.Module) -> tuple[str, ast.Module]:
    last = tree.body[-1] if tree.body else None
    while isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call | ast.Constant):
        text = "\n".join(text.split("\n")[: last.lineno - 1])
        tree = _parsed(text) or ast.Module([], [])
        last = tree.body[-1] if tree.body else None
    return text, tree


def _defined(tree: ast.Module) -> set[str]:
    """Return the names that the top level gives a value."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def _parts(tree: ast.Module) -> int:
    return len(_defined(tree) & {"NAME", "SYMBOLS", "on_tick"})


def _is_test(tree: ast.Module) -> bool:
    for node in tree.body:
        if isinstance(node, ast.Import) and any(a.name.split(".")[0] in {"pytest", "unittest"} for a in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"pytest", "unittest"}:
            return True
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            return True
    return False


def _is_stub(tree: ast.Module) -> bool:
    """Tell whether on_tick does nothing yet."""
    ticks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "on_tick"]
    return not ticks or all(
        isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in ticks[-1].body
    )
