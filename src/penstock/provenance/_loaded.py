"""The code of the user's modules as loaded, and the same code without formatting.

A module's top-level code is gone once executed, and the file may be edited afterwards. So an audit
hook retains the code object that each import executes. Functions are their own code objects; a text
is trusted only where compiling it yields those very code objects.
"""

import ast
import linecache
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from penstock.core import digest_bytes
from penstock.provenance._bytecode import code_facts
from penstock.provenance._own import is_own, looks_installed

_DOCUMENTED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A text with the plain tree, and the code with and without formatting."""

    text: str
    tree: ast.Module
    raw: CodeType
    plain: CodeType


@dataclass(slots=True)
class _Memory:
    """The process-wide memory of modules; a single instance exists.

    Args:
        codes: Executed top-level code by file.
        late: Files first executed while a step ran: further processes may not have loaded them.
        texts: Text by file, as first read by penstock.
        plain: Code without formatting by file, then by qualified name and facts.
        read: Texts that ``plain`` was already made from, by file.
        parsed: The last text of each file that was compiled.
        scripts: In a notebook, the texts of each file as they were executed; None for a text that
            was gone by then.
        running: Number of steps that run now.
    """

    codes: dict[str, CodeType] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    plain: dict[str, dict[tuple[str, str], CodeType]] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)
    parsed: dict[str, _Parsed] = field(default_factory=dict)
    scripts: dict[str, list[str | None]] = field(default_factory=dict)
    running: int = 0
    watches: bool = False


_memory = _Memory()


def watch_imports() -> None:
    """Retain the code of every user module that is executed from now on."""
    if _memory.watches:
        return
    _memory.watches = True
    sys.addaudithook(_on_event)
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and not looks_installed(file):
            text = _read(file) if is_own(Path(file)) else None
            if text is not None:
                _memory.texts[file] = text


class StepRunning:
    """Context in which imported modules count as imported by a step."""

    def __enter__(self) -> None:
        _memory.running += 1

    def __exit__(self, *_: object) -> None:
        _memory.running -= 1


def is_late(file: str) -> bool:
    """Return whether a step first executed a file: then the live values are no steady state."""
    return file in _memory.late


def plain_code(code: CodeType) -> CodeType:
    """Return a code object of the user's without formatting and docstrings.

    Where no text compiles to this code object, the object itself is returned.
    """
    file = code.co_filename
    key = (code.co_qualname, code_facts(code))
    plain = _memory.plain.get(file, {}).get(key)
    if plain is None and _learn(file):
        plain = _memory.plain[file].get(key)
    return plain or code


def module_code(file: str) -> CodeType | None:
    """Return the top-level code of a file as executed; None if unknown."""
    return _memory.codes.get(file)


def module_tree(file: str) -> ast.Module | None:
    """Return the syntax tree of a file's executed text, without positions and docstrings.

    Returns:
        None if the text is gone, or differs from the executed text.
    """
    executed = _memory.codes.get(file)
    texts = [text for text in (_read(file), _memory.texts.get(file)) if text is not None]
    for text in texts if executed is not None else texts[-1:]:
        parsed = _parse(file, text)
        if parsed and (executed is None or code_facts(parsed.raw) == code_facts(executed)):
            return parsed.tree
    return None


def executed_trees(file: str) -> list[ast.Module | None]:
    """Return the syntax trees of a file's texts as a notebook has executed them, in order.

    Returns:
        With None for a text that is gone; the present text if penstock saw no execution.
    """
    texts = _memory.scripts.get(file)
    if texts is None:
        return [module_tree(file)]
    parsed = [None if text is None else _parse(file, text) for text in dict.fromkeys(texts)]
    return [None if each is None else each.tree for each in parsed]


def file_code(file: str) -> CodeType | None:
    """Return the plain top-level code of a file that is not loaded, or was loaded by a step."""
    executed = _memory.codes.get(file)
    if executed is not None:
        return plain_code(executed)
    text = _read(file)
    parsed = None if text is None else _parse(file, text)
    return parsed.plain if parsed else None


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "exec":
        return
    code = arguments[0]
    if not isinstance(code, CodeType) or code.co_name != "<module>":
        return
    file = code.co_filename
    if file in _memory.codes or not looks_installed(file):
        if _memory.running and file not in _memory.codes:
            _memory.late.add(file)
        _memory.codes[file] = code
        if "IPython" in sys.modules:  # `%run` executes a file as often as it is called
            _memory.scripts.setdefault(file, []).append(_text_behind(file, code))


def _text_behind(file: str, code: CodeType) -> str | None:
    text = _read(file)
    parsed = None if text is None else _parse(file, text)
    return text if parsed is not None and code_facts(parsed.raw) == code_facts(code) else None


def _learn(file: str) -> bool:
    """Store the code of a file's text, with and without formatting; return whether new."""
    text = _text_of(file)
    if text is None or _memory.read.get(file) == text:
        return False
    _memory.read[file] = text
    table = _memory.plain.setdefault(file, {})
    parsed = _parse(file, text)
    if parsed is None:
        return False
    _pair(parsed.raw, parsed.plain, table)
    return True


def _parse(file: str, text: str) -> _Parsed | None:
    """Compile a text twice, with and without formatting; None if the text is not Python."""
    known = _memory.parsed.get(file)
    if known is not None and known.text == text:
        return known
    try:
        tree = ast.parse(text)
        raw = _compiled(tree, file)
        _make_plain(tree)
        parsed = _Parsed(text, tree, raw, _compiled(tree, file))
    except (SyntaxError, ValueError, RecursionError):
        return None
    _memory.parsed[file] = parsed
    return parsed


def _pair(raw: CodeType, plain: CodeType, table: dict[tuple[str, str], CodeType]) -> None:
    table[raw.co_qualname, code_facts(raw)] = plain
    inner = [item for item in raw.co_consts if isinstance(item, CodeType)]
    other = [item for item in plain.co_consts if isinstance(item, CodeType)]
    if [item.co_qualname for item in inner] == [item.co_qualname for item in other]:
        for one, two in zip(inner, other, strict=True):
            _pair(one, two, table)


def _text_of(file: str) -> str | None:
    text = _read(file)
    if text is None:  # a notebook's cell stands in the line cache
        lines = linecache.cache.get(file)
        text = "".join(lines[2]) if lines is not None and len(lines) > 2 else None  # noqa: PLR2004 - (size, time, lines, name)
    return text


def _read(file: str) -> str | None:
    try:
        return Path(file).read_text("utf-8-sig")
    except (OSError, ValueError):
        return None


def _compiled(source: Any, file: str) -> CodeType:
    made: CodeType = compile(source, file, "exec", dont_inherit=True)
    return made


def _make_plain(tree: ast.Module) -> None:
    """Remove positions and docstrings from a tree."""
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            node.lineno = node.end_lineno = 1  # type: ignore[attr-defined] # every statement has it
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
        if isinstance(node, _DOCUMENTED) and _is_text(node.body[:1]):
            rest = node.body[1:]
            node.body = rest or [ast.copy_location(ast.Pass(), node.body[0])]


def _is_text(body: list[ast.stmt]) -> bool:
    return (
        bool(body)
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    )


def file_digest(file: str) -> str:
    """Return the digest of a file's bytes; ``gone`` if the file cannot be read."""
    try:
        return digest_bytes(Path(file).read_bytes())
    except OSError:
        return "gone"
