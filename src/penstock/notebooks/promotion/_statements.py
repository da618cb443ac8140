"""A notebook's statements by where they go in a program: imports, definitions, constants, parameters, bodies."""

import ast
import builtins
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from penstock.notebooks._document import Notebook, NotebookCell
from penstock.notebooks._events import CellFlow, flat
from penstock.notebooks._flow import FlowWalker
from penstock.notebooks._parameters import INJECTED, TAG, literals
from penstock.notebooks.promotion._display import is_display, is_setting
from penstock.notebooks.rules import Analysis, analyse
from penstock.notebooks.rules._known_names import KNOWN
from penstock.pipelines import RUN_OPTIONS

_SCALARS = (bool, int, float, str)
_CONTAINERS = (list, dict, set, tuple)
_TYPES = ("collections.abc.", "numpy.typing.", "typing.", "typing_extensions.")


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement of a cell's top level.

    Args:
        cell: Position of the cell, from 1.
        node: The statement.
        source: The cell's text as plain Python.
        first: First line, with the comments above.
    """

    cell: int
    node: ast.stmt
    source: str
    first: int

    @cached_property
    def flow(self) -> CellFlow:
        """The events of names in the statement."""
        walker = FlowWalker()
        walker.visit(self.node)
        return CellFlow(self.cell, tuple(walker.events))

    @property
    def reads(self) -> set[str]:
        """Names read, in bodies of functions too."""
        return set(self.flow.reads)

    @property
    def writes(self) -> set[str]:
        """Names bound."""
        return set(self.flow.writes)


@dataclass
class NotebookParts:
    """The statements of a notebook by where they go.

    Args:
        notebook: The notebook.
        imports: Statements of the module's head.
        settings: Settings of libraries: calls behind the imports.
        definitions: Functions and classes that read only further parts of the module.
        constants: Literals that definitions read, and containers that nothing changes.
        parameters: Literals that become parameters of the pipeline, by name.
        local_definitions: Functions that read computed names: written into each step that uses them.
        bodies: Statements of steps, by cell.
        problems: Reasons against a promotion: cell, line, sentence.
    """

    notebook: Notebook
    imports: list[Statement] = field(default_factory=list)
    settings: list[Statement] = field(default_factory=list)
    definitions: list[Statement] = field(default_factory=list)
    constants: list[Statement] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    local_definitions: dict[str, Statement] = field(default_factory=dict)
    bodies: dict[int, list[Statement]] = field(default_factory=dict)
    problems: list[tuple[int, int, str]] = field(default_factory=list)

    @cached_property
    def module_names(self) -> set[str]:
        """Names of the module: imports, definitions, constants."""
        parts = [*self.imports, *self.definitions, *self.constants]
        return {name for part in parts for name in part.writes} | KNOWN


def sort_statements(notebook: Notebook, changed: Mapping[str, bool]) -> NotebookParts:
    """Sort a notebook's statements.

    Args:
        notebook: The notebook; all cells parse.
        changed: By name whether the value was seen to change after its definition.
    """
    return _Sorter(notebook, changed).parts


class _Sorter:
    """Sorts statements: those bound once that read nothing computed go to the module."""

    def __init__(self, notebook: Notebook, changed: Mapping[str, bool]) -> None:
        self._analysis: Analysis = analyse(notebook)
        self._changed = changed
        self.parts = NotebookParts(notebook)
        statements = [each for cell in self._analysis.cells for each in statements_of(cell)]
        self._bound = Counter(
            event.name
            for each in statements
            for event in each.flow.flat
            if event.kind in {"write", "define", "delete"}
        )
        self._imported = {
            event.name for each in statements for event in each.flow.flat if event.kind == "import"
        }
        self._touched = {
            event.name
            for each in statements
            for event in [*each.flow.flat, *_inner(each)]
            if event.kind == "change"
        }
        bodies = self._take_heads(statements)
        bodies = self._take_definitions(bodies)
        self._take_literals(bodies)
        self._settle_definitions()
        self._drop_unread_pictures()

    def _take_heads(self, statements: Sequence[Statement]) -> list[Statement]:
        """Take imports and settings; drop statements that only show something."""
        rest = []
        for each in statements:
            if _is_import(each.node):
                self._take_import(each)
            elif is_setting(each.node, self._analysis):
                self.parts.settings.append(each)
            elif not is_display(each.node, self._analysis):
                rest.append(each)
        return rest

    def _take_import(self, statement: Statement) -> None:
        for name in sorted(statement.writes):
            if self._bound[name]:
                text = f"{name!r} is imported here and bound again elsewhere; give one another name"
                self.parts.problems.append((statement.cell, statement.node.lineno, text))
        if not any(_same(statement.node, each.node) for each in self.parts.imports):
            self.parts.imports.append(statement)

    def _take_definitions(self, statements: Sequence[Statement]) -> list[Statement]:
        """Take functions and classes that are bound once."""
        rest = []
        for each in statements:
            is_definition = isinstance(
                each.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            )
            for name in sorted(_global_names(each.node)):
                text = f"a function binds the global name {name!r}; let it return the value"
                self.parts.problems.append((each.cell, each.node.lineno, text))
            if is_definition and self._bound[each.node.name] == 1:  # type: ignore[attr-defined]  # checked
                self.parts.definitions.append(each)
            else:
                rest.append(each)
        return rest

    def _take_literals(self, statements: Sequence[Statement]) -> None:
        read_inside = {name for each in self.parts.definitions for name in each.reads}
        for each in statements:
            if self._is_alias(each):
                self.parts.constants.append(each)
                continue
            cell = self.parts.notebook.cell(each.cell)
            parameters = literals([each.node]) if self._is_hinted_plainly(each) else {}
            name, value = next(
                ((name, parameters[name].default) for name in parameters), ("", None)
            )
            is_tagged = TAG in cell.tags or INJECTED in cell.tags
            once = bool(name) and self._bound[name] == 1 and not self._is_changed(name)
            free = name not in RUN_OPTIONS and (is_tagged or name not in read_inside)
            if once and isinstance(value, _SCALARS) and free:
                self.parts.parameters[name] = value
            elif once and (is_tagged or isinstance(value, (*_SCALARS, *_CONTAINERS))):
                self.parts.constants.append(each)
            else:
                self.parts.bodies.setdefault(each.cell, []).append(each)

    def _is_alias(self, statement: Statement) -> bool:
        """Return whether a statement only names a type, as ``Vector = list[float]``."""
        match statement.node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Subscript() | ast.BinOp() as value
            ):
                return self._bound[name] == 1 and self._is_type(value)
        return False

    def _is_type(self, node: ast.AST) -> bool:
        match node:
            case ast.Subscript(value=kind, slice=inside):
                items = inside.elts if isinstance(inside, ast.Tuple) else [inside]
                return self._is_type(kind) and all(map(self._is_type, items))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._is_type(left) and self._is_type(right)
            case ast.Constant(value=value):
                return value is None or value is ... or isinstance(value, str)
            case ast.List(elts=items):
                return all(map(self._is_type, items))
            case ast.Name(id=name) if isinstance(getattr(builtins, name, None), type):
                return not self._bound[name]
            case ast.Name() | ast.Attribute():
                return self._analysis.dotted(node).startswith(_TYPES)
        return False

    def _is_hinted_plainly(self, statement: Statement) -> bool:
        """Return whether a module can have a statement's hint: its names are types there, too."""
        if not isinstance(statement.node, ast.AnnAssign):
            return True
        names = {n.id for n in ast.walk(statement.node.annotation) if isinstance(n, ast.Name)}
        known = {*KNOWN, *self._imported, *(n for c in self.parts.constants for n in c.writes)}
        return names <= known

    def _is_changed(self, name: str) -> bool:
        return name in self._touched or self._changed.get(name, True)

    def _settle_definitions(self) -> None:
        """Move definitions that read computed names or parameters out of the module, until none does."""
        while True:
            known = {*KNOWN, *self._imported, *(n for c in self.parts.constants for n in c.writes)}
            known |= {name for each in self.parts.definitions for name in each.writes}
            moved = [
                each for each in self.parts.definitions if not each.reads - each.writes <= known
            ]
            if not moved:
                return
            for each in moved:
                self.parts.definitions.remove(each)
                self._move(each, known)

    def _move(self, statement: Statement, known: Collection[str]) -> None:
        name = statement.node.name  # type: ignore[attr-defined]  # a function or class
        if isinstance(statement.node, ast.FunctionDef) and _is_plain(statement.node, known):
            self.parts.local_definitions[name] = statement
        else:  # a value like any other, made where it stands
            body = self.parts.bodies.setdefault(statement.cell, [])
            body.append(statement)
            body.sort(key=lambda each: each.node.lineno)

    def _drop_unread_pictures(self) -> None:
        """Drop figures and axes that nothing reads any more."""
        while True:
            body = [each for cell in self.parts.bodies.values() for each in cell]
            read = {name for each in body for name in each.reads}
            read |= {n for each in self.parts.local_definitions.values() for n in each.reads}
            dead = [
                each
                for each in body
                if is_display(each.node, self._analysis, assigned=True)
                and not each.writes & (read - each.reads)
            ]
            if not dead:
                break
            for each in dead:
                self.parts.bodies[each.cell].remove(each)
        self.parts.bodies = {
            cell: statements for cell, statements in sorted(self.parts.bodies.items()) if statements
        }


def statements_of(cell: NotebookCell) -> Iterator[Statement]:
    """Yield the statements of a cell's top level, each with the comments above."""
    last = 0
    for node in (cell.python.tree or ast.Module([], [])).body:
        first = last + 1
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        yield Statement(cell.index, node, cell.python.text, min(first, start))
        last = node.end_lineno or node.lineno


def _inner(statement: Statement) -> Iterator[Any]:
    for event in statement.flow.flat:
        if event.body is not None:
            yield from flat(event.body.events)
            yield from event.body.all_events()


def _is_plain(node: ast.FunctionDef, known: Collection[str]) -> bool:
    """Return whether a function may be defined before the values that it reads when called."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments += filter(None, [node.args.vararg, node.args.kwarg])
    hints = filter(None, [*(each.annotation for each in arguments), node.returns])
    read = {inner.id for hint in hints for inner in ast.walk(hint) if isinstance(inner, ast.Name)}
    defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    return not node.decorator_list and not defaults and read <= {*known}


def _is_import(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    return (
        isinstance(node, ast.Try)
        and not node.finalbody
        and all(isinstance(each, ast.Import | ast.ImportFrom) for each in node.body)
        and all(_is_import(each) or literals([each]) for h in node.handlers for each in h.body)
    )


def _same(one: ast.AST, other: ast.AST) -> bool:
    return ast.dump(one) == ast.dump(other)


def _global_names(node: ast.AST) -> set[str]:
    return {name for each in ast.walk(node) if isinstance(each, ast.Global) for name in each.names}
