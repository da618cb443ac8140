"""The lines of a definition that differ between two recorded sources."""

import ast
import difflib
from collections.abc import Mapping

_CONTEXT = 2


def diff_definition(
    before: Mapping[str, bytes], after: Mapping[str, bytes], place: str
) -> tuple[str, ...]:
    file, _, name = place.partition(":")
    old, new = (_definition(files.get(file, b""), name) for files in (before, after))
    lines = difflib.unified_diff(old, new, file, file, lineterm="", n=_CONTEXT)
    return tuple(lines)[2:]


def _definition(source: bytes, name: str) -> list[str]:
    """Return the lines of a definition in a file: a function, a class, or an assignment."""
    text = source.decode("utf-8", "replace")
    lines = text.splitlines()
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return lines
    if name == "(whole file)":
        return lines
    name = name.partition(" ")[0]  # "scaled default factor" is part of `scaled`
    top = name.partition(".")[0]
    places = [(_first_line(node), node.end_lineno) for node in body if top in _names(node)]
    if not places:  # code at the top level of the file, outside definitions
        return [] if name.isidentifier() else _top_level(body, lines)
    return [line for first, last in places for line in lines[first - 1 : last]]


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)
                and isinstance(each.ctx, ast.Store)}  # fmt: skip
    return set()


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _top_level(body: list[ast.stmt], lines: list[str]) -> list[str]:
    return [
        line
        for node in body
        if not _names(node)
        for line in lines[_first_line(node) - 1 : node.end_lineno]
    ]
