"""Definitions of source files that named definitions reach; apart: text only, nothing is executed.

A user's file often ends in a training. Of a recorded file only the statements are executed that a
model's classes and functions need: definitions, imports, constants.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType

_INIT = "__init__.py"
_STAR = "*"
_LAMBDA = "lambda@"


@dataclass(frozen=True, slots=True)
class _Statement:
    node: ast.stmt
    binds: frozenset[str]
    changes: frozenset[str]  # names whose value the statement may change
    uses: frozenset[str]


@dataclass(slots=True)
class Slice:
    """The needed parts of a module.

    Args:
        package: Package that relative imports start from.
        names: Names of the module that are needed.
        indexes: Positions of the needed statements.
    """

    package: str
    names: set[str] = field(default_factory=set)
    indexes: set[int] = field(default_factory=set)


def module_of_path(path: str) -> str:
    """Return the module of a recorded file.

    >>> module_of_path("shop/prices.py"), module_of_path("shop/__init__.py")
    ('shop.prices', 'shop')
    """
    parts = path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def lambda_name(node: ast.Lambda, qualname: str) -> str:
    """Return the name for a lambda of a file: the place, then the name that Python gave it."""
    return f"{_LAMBDA}{node.lineno}:{node.col_offset}:{qualname}"


def find_lambda(text: bytes, name: str) -> tuple[ast.Lambda, str] | None:
    """Return the lambda of a `lambda_name` and Python's name; None if no lambda begins there."""
    place, _, qualname = name.removeprefix(_LAMBDA).rpartition(":")
    for node in _lambdas(text):
        if name.startswith(_LAMBDA) and place == f"{node.lineno}:{node.col_offset}":
            return node, qualname
    return None


def lambdas_in_line(text: bytes, line: int) -> list[ast.Lambda]:
    """Return the lambdas that begin in a line."""
    return [node for node in _lambdas(text) if node.lineno == line]


def compile_lambda(text: bytes, node: ast.Lambda, name: str, file: str) -> CodeType:
    """Return code that binds a lambda of a file to a name, compiled as in the file.

    Python compiles ``np.log(x)`` differently where the file imports ``np``, so the file's imports
    are compiled with the lambda; they are not executed.
    """
    imports = list(_module_imports(_parse(text)))
    future = [each for each in imports if getattr(each, "module", "") == "__future__"]
    others = [each for each in imports if each not in future]
    target = ast.copy_location(ast.Name(name, ast.Store()), node)
    body: list[ast.stmt] = [*future, ast.copy_location(ast.Assign([target], node), node)]
    if others:
        body.append(ast.copy_location(ast.If(ast.Constant(value=False), others, []), node))
    module = ast.fix_missing_locations(ast.Module(body=body, type_ignores=[]))
    return compile(module, file, "exec", dont_inherit=True)


def _module_imports(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the imports that bind names of the module, also those under ``if`` and ``try``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not isinstance(
            child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.expr
        ):
            yield from _module_imports(child)


def is_defined(text: bytes, name: str) -> bool:
    """Return whether a file has a ``class`` or ``def`` of the name, or that lambda, in its text.

    An imported name is not defined there: ``from os import system`` must not lend that name.
    """
    if name.startswith(_LAMBDA):
        return find_lambda(text, name) is not None
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return any(
        isinstance(each.node, kinds) and each.node.name == name for each in _statements(text)
    )


def slice_modules(
    source: Mapping[str, bytes], wanted: Iterable[tuple[str, str]]
) -> dict[str, Slice]:
    """Find the needed statements of each module, through imports among the modules.

    Args:
        source: Files by path, such as ``shop/prices.py``.
        wanted: Module and name of each needed definition.

    Raises:
        SyntaxError: If a file cannot be parsed.
    """
    paths = {module_of_path(path): path for path in source}
    slices: dict[str, Slice] = {}
    waiting = list(wanted)
    while waiting:
        module, name = waiting.pop()
        path = paths.get(module)
        if path is None:
            continue
        package = module if path.endswith(_INIT) else module.rpartition(".")[0]
        module_slice = slices.setdefault(module, Slice(package))
        if name in module_slice.names:
            continue
        text = source[path]
        if name == _STAR:
            waiting += [(module, each) for each in _bound(text)]
        module_slice.names.add(name)
        waiting += _grow(text, module_slice, name, paths, module)
    return slices


def sliced(text: bytes, kept_slice: Slice) -> ast.Module:
    """Return the needed statements of a file, in order, with their places in the file."""
    kept = [
        each.node for index, each in enumerate(_statements(text)) if index in kept_slice.indexes
    ]
    return ast.Module(body=kept, type_ignores=[])


def imported_names(source: Mapping[str, bytes], slices: Mapping[str, Slice]) -> set[str]:
    """Return the modules that needed statements import, inside of functions too; maybe attributes."""
    names = set()
    for path, text in source.items():
        module_slice = slices.get(module_of_path(path))
        if module_slice is None:
            continue
        for node in ast.walk(sliced(text, module_slice)):
            if isinstance(node, ast.Import):
                names |= {each for alias in node.names for each in _prefixes(alias.name)}
            elif isinstance(node, ast.ImportFrom):
                base = absolute_name(node.module or "", module_slice.package, node.level)
                inner = (f"{base}.{alias.name}" for alias in node.names if alias.name != _STAR)
                names |= {*_prefixes(base), *inner}
    return names


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def _grow(
    text: bytes, kept_slice: Slice, name: str, paths: Mapping[str, str], module: str
) -> Iterator[tuple[str, str]]:
    """Add the statements for a name, and yield the names that those need, here and in further modules."""
    if name.startswith(_LAMBDA):
        place = find_lambda(text, name)
        if place is not None:
            yield from ((module, each) for each in _used(place[0]))
    for index, each in enumerate(_statements(text)):
        is_future = isinstance(each.node, ast.ImportFrom) and each.node.module == "__future__"
        is_star = isinstance(each.node, ast.ImportFrom) and _STAR in each.binds
        if index in kept_slice.indexes:
            continue
        if not (name in each.binds or name in each.changes or is_future or is_star):
            continue
        kept_slice.indexes.add(index)
        yield from ((module, used) for used in each.uses)
        for inner in ast.walk(each.node):
            yield from _imported(inner, kept_slice.package, paths)
    attributes = _attributes(text, kept_slice)
    for other in _modules_bound(text, kept_slice, paths):
        yield from ((other, attribute) for attribute in attributes)


def _imported(node: ast.AST, package: str, paths: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from ((each, "") for each in _prefixes(alias.name))
    elif isinstance(node, ast.ImportFrom):
        base = absolute_name(node.module or "", package, node.level)
        yield base, ""
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield (inner, "") if inner in paths else (base, alias.name)


def _modules_bound(text: bytes, kept_slice: Slice, paths: Mapping[str, str]) -> set[str]:
    """Return the recorded modules that the needed statements import as modules."""
    modules = set()
    for index, each in enumerate(_statements(text)):
        if index not in kept_slice.indexes:
            continue
        for node in ast.walk(each.node):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = absolute_name(node.module or "", kept_slice.package, node.level)
                modules |= {f"{base}.{alias.name}" for alias in node.names}
    return modules & paths.keys()


def _attributes(text: bytes, kept_slice: Slice) -> set[str]:
    names = set()
    for index, each in enumerate(_statements(text)):
        if index in kept_slice.indexes:
            names |= {n.attr for n in ast.walk(each.node) if isinstance(n, ast.Attribute)}
    return names


def absolute_name(name: str, package: str, level: int) -> str:
    """Return the absolute name of an imported module.

    >>> absolute_name("prices", "shop.web", 2)
    'shop.prices'
    """
    if not level:
        return name
    parts = package.split(".")
    base = ".".join(parts[: len(parts) - level + 1])
    return f"{base}.{name}" if name else base


@lru_cache(maxsize=256)
def _parse(text: bytes) -> ast.Module:
    return ast.parse(text)


@lru_cache(maxsize=256)
def _lambdas(text: bytes) -> tuple[ast.Lambda, ...]:
    return tuple(node for node in ast.walk(_parse(text)) if isinstance(node, ast.Lambda))


@lru_cache(maxsize=256)
def _statements(text: bytes) -> tuple[_Statement, ...]:
    body = _parse(text).body
    imported = {name for node in body for name in _import_names(node)}
    return tuple(_Statement(n, _binds(n), _changes(n) - imported, _used(n)) for n in body)


def _bound(text: bytes) -> set[str]:
    return {name for each in _statements(text) for name in each.binds if name != _STAR}


def _import_names(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            for alias in inner.names:
                yield alias.asname or alias.name.partition(".")[0]


def _binds(statement: ast.stmt) -> frozenset[str]:
    """Return the names that a statement binds in the module."""
    names: set[str] = set()
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
            continue  # names inside are not the module's
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= set(_import_names(node))
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        waiting += ast.iter_child_nodes(node)
    return frozenset(names)


def _changes(statement: ast.stmt) -> frozenset[str]:
    """Return the names whose values a statement may change: ``TABLE[key] = …``, ``LIST.append(…)``."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Delete):
        targets = list(statement.targets)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        targets = [statement.value.func]
    changes = set()
    for target in targets:
        inner: ast.expr = target
        while isinstance(inner, ast.Attribute | ast.Subscript):
            inner = inner.value
        if isinstance(inner, ast.Name) and inner is not target:
            changes.add(inner.id)
    return frozenset(changes)


def _used(node: ast.AST) -> frozenset[str]:
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
