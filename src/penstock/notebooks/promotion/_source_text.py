"""Statements as text of a function: their own lines with comments, indented, with the same meaning."""

import ast
import io
import textwrap
import tokenize
from collections.abc import Sequence

from penstock.notebooks.promotion._statements import Statement

STEP = "    "


def body_text(statements: Sequence[Statement]) -> str:
    """Return statements as the indented body of a function, with their comments.

    The text is parsed again and compared; where a line cannot be kept (two statements on
    the same line), the statement is written anew.
    """
    parts = [part for each in statements for part in [_own_text(each)] if part]
    text = "\n".join(parts)
    try:
        same = _dump(ast.parse(textwrap.dedent(text)).body) == _dump([s.node for s in statements])
    except SyntaxError:
        same = False
    if not same:
        text = "\n".join(ast.unparse(each.node) for each in statements)
    return indented(text)


def module_text(statement: Statement) -> str:
    """Return a statement of the module's top level with comments."""
    text = _own_text(statement)
    try:
        same = _dump(ast.parse(text).body) == _dump([statement.node])
    except SyntaxError:
        same = False
    return text if same else ast.unparse(statement.node)


def indented(text: str) -> str:
    """Indent code by a step; the lines inside of texts stay as they are."""
    inside = _inside_texts(text)
    return "\n".join(
        line if number in inside or not line.strip() else STEP + line
        for number, line in enumerate(text.split("\n"), start=1)
    )


def _own_text(statement: Statement) -> str:
    lines = statement.source.split("\n")
    node = statement.node
    start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    comments = [
        line for line in lines[statement.first - 1 : start - 1] if line.lstrip().startswith("#")
    ]
    own = lines[start - 1 : node.end_lineno]
    kept = [line for line in comments if not line.lstrip("# ").startswith(("%%", "penstock:"))]
    return "\n".join([*(line.strip() for line in kept), *own])


def _inside_texts(text: str) -> set[int]:
    """Return the lines, from 1, that begin inside of a text of several lines."""
    inside: set[int] = set()
    opened: list[int] = []
    begin, end = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.STRING:
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
        elif token.type == begin:
            opened.append(token.start[0])
        elif token.type == end:
            inside.update(range(opened.pop() + 1, token.end[0] + 1))
    return inside


def _dump(nodes: Sequence[ast.stmt]) -> list[str]:
    return [ast.dump(node) for node in nodes]
