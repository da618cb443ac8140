"""One Python file taken apart: its top-level definitions, what each refers to, what it imports.

Comments, docstrings and positions are dropped, so that a digest moves only when the code does.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from penstock.core import digest_bytes
from penstock.provenance._normalise import find_tellers, with_canonical_names, without_log_texts

_PACKAGE = Path(__file__).resolve().parents[1]
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_cache: dict[Path, tuple[object, "ParsedModule"]] = {}


@dataclass(frozen=True, slots=True)
class Import:
    """What an import statement binds: a module, or a name of a module."""

    module: str
    name: str | None = None


@dataclass(eq=False)
class Definition:
    """A top-level name: the statements that make it, and what they refer to."""

    nodes: list[ast.stmt] = field(default_factory=list)
    registered: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_class(self) -> bool:
        """True if the name is bound by a class statement."""
        return any(isinstance(node, ast.ClassDef) for node in self.nodes)

    @cached_property
    def digest(self) -> str:
        """Digest of the normalised syntax tree."""
        plain = (with_canonical_names(node, self.aliases) for node in self.nodes)
        return digest_bytes(*(ast.dump(node).encode() for node in plain))

    @cached_property
    def unfollowed(self) -> list[tuple[int, str]]:
        """Lines that run or import what only the run knows, and what they call."""
        return list(_unfollowed(self.nodes))

    @cached_property
    def references(self) -> dict[str, set[str | None]]:
        """Names used, each with the attributes asked of it; None if it is used by itself."""
        found: dict[str, set[str | None]] = {}
        for name, attribute in _references(self.nodes):
            found.setdefault(name, set()).add(attribute)
        for name in self.imports:
            if name.startswith("import "):
                found[name] = {None}
        return found

    @cached_property
    def imports(self) -> dict[str, Import]:
        """Imports made inside, by statement or by a call that names the module."""
        inside = [node for root in self.nodes for node in ast.walk(root)]
        called = (name for node in inside if (name := _imported_by_call(node)))
        return dict(_imports(iter(inside))) | {f"import {name}": Import(name) for name in called}


class ParsedModule:
    """A file's definitions, imports and remaining top-level statements.

    Args:
        name: Import name, for relative imports and for messages.
        path: The file.
        source: Its text.
    """

    def __init__(self, name: str, path: Path, source: bytes) -> None:
        self.name, self.path = name, path
        self.definitions: dict[str, Definition] = {}
        self.others = Definition()
        self.stars: list[str] = []
        tree = ast.parse(source)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        statements = [node for node in tree.body if not _never_runs(node)]
        top_level = list(_outside_functions(statements))
        self.imports = {
            bound: _absolute(target, package) for bound, target in _imports(iter(top_level))
        }
        self.stars = [
            _absolute(_target(node), package).module
            for node in top_level
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        ]
        self.package = package
        tellers = find_tellers(statements)
        aliases = {
            bound: ".".join(filter(None, (target.module, target.name)))
            for bound, target in self.imports.items()
        }
        for node in statements:
            self._sort(without_log_texts(_normalised(node, self.imports), tellers))
        aliases = {name: of for name, of in aliases.items() if name not in self.definitions}
        for definition in (*self.definitions.values(), self.others):
            definition.aliases = aliases

    def _sort(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node):
            return
        names = _bound_names(node)
        for name in names:
            definition = self.definitions.setdefault(name, Definition())
            definition.nodes.append(node)
            # A decorator of the project's own may register what it decorates: no name leads there.
            definition.registered |= any(
                isinstance(child, ast.Name) and child.id not in self.imports
                for decorator in getattr(node, "decorator_list", ())
                for child in ast.walk(decorator)
            )
        if not names:
            self.others.nodes.append(node)


def parse_module(name: str, path: Path) -> ParsedModule:
    """Parse a file, once per time that it is loaded.

    A module that was edited after its import still runs as it was: so it keeps its first tree
    until it is loaded again, which gives it a new spec.
    """
    module = sys.modules.get(name)
    loaded = getattr(module, "__spec__", None)
    stamp: object = loaded if loaded is not None else _modified(path)
    known = _cache.get(path)
    if known and (known[0] is stamp or (loaded is None and known[0] == stamp)):
        return known[1]
    parsed = ParsedModule(name, path, path.read_bytes())
    _cache[path] = (stamp, parsed)
    return parsed


def find_extension(name: str) -> Path | None:
    """Find the file of a module of the user's that is compiled; None if there is none."""
    file = getattr(sys.modules.get(name), "__file__", None)
    path = Path(file) if file else None
    compiled = path is not None and path.suffix in {".so", ".pyd"}
    return path if path is not None and compiled and is_own(path) else None


def find_own_module(name: str) -> Path | None:
    """Find the file of a module that belongs to the user, or None if it is installed or missing."""
    top = name.partition(".")[0]
    if top == "penstock" or top in sys.stdlib_module_names:
        return None
    file = getattr(sys.modules.get(name), "__file__", None)
    path = Path(file) if file else _search(name)
    return path if path and path.suffix == ".py" and is_own(path) else None


@cache
def is_own(path: Path) -> bool:
    """Say whether a file is the user's: neither Python's, nor installed, nor penstock's."""
    path = path.resolve()
    if not path.is_file() or {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(path.is_relative_to(place) for place in (_PACKAGE, *_system_places()))


@cache
def _system_places() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))


def _search(name: str) -> Path | None:
    parts = name.split(".")
    for place in sys.path:
        base = Path(place or ".").joinpath(*parts)
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                return path
    return None


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns


def _never_runs(node: ast.stmt) -> bool:
    """``if __name__ == "__main__"`` and ``if TYPE_CHECKING`` change no step."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in {
        "__name__ == '__main__'",
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    }


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _bound_names(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            targets = node.targets
        case ast.AnnAssign() | ast.AugAssign():
            targets = [node.target]
        case _:
            return []
    return [name for target in targets for name in _target_names(target)]


def _target_names(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Name():
            yield target.id
        case ast.Tuple() | ast.List():
            for item in target.elts:
                yield from _target_names(item)
        case ast.Subscript() | ast.Attribute() | ast.Starred():
            # OPTIONS["depth"] = 3 is part of what OPTIONS is.
            yield from _target_names(target.value)


def _normalised(node: ast.stmt, imports: dict[str, Import]) -> ast.stmt:
    for child in ast.walk(node):
        if isinstance(child, _FUNCTIONS | ast.ClassDef):
            if child.body and _is_text(child.body[0]):
                child.body = child.body[1:]
            # Retries, timeouts and names do not change what a step gives.
            child.decorator_list = [
                item for item in child.decorator_list if not _is_ours(item, imports)
            ]
    return node


def _is_ours(decorator: ast.expr, imports: dict[str, Import]) -> bool:
    while isinstance(decorator, ast.Call | ast.Attribute):
        decorator = decorator.func if isinstance(decorator, ast.Call) else decorator.value
    bound = imports.get(decorator.id) if isinstance(decorator, ast.Name) else None
    return bound is not None and bound.module.partition(".")[0] == "penstock"


def _references(roots: list[ast.stmt]) -> Iterator[tuple[str, str | None]]:
    stack: list[ast.AST] = list(roots)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr
        elif isinstance(node, ast.Name):
            yield node.id, None
        else:
            stack.extend(ast.iter_child_nodes(node))
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and text.isidentifier():
                yield text, None  # an annotation in quotes may name a class


def _imported_by_call(node: ast.AST) -> str | None:
    """Name the module that a call imports, if it is written out."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return name
    return None


def _unfollowed(roots: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    for node in (node for root in roots for node in ast.walk(root)):
        match node:
            case ast.Call(func=ast.Name(id="exec" | "eval" as name)):
                yield node.lineno, name
            case (
                ast.Call(func=ast.Attribute(attr="import_module" as name))
                | ast.Call(func=ast.Name(id="import_module" | "__import__" as name))
            ):
                if _imported_by_call(node) is None:
                    yield node.lineno, name
            case ast.Call(func=ast.Attribute(value=ast.Name(id="runpy"), attr=name)):
                yield node.lineno, f"runpy.{name}"


def _outside_functions(nodes: list[ast.stmt]) -> Iterator[ast.AST]:
    stack: list[ast.AST] = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _FUNCTIONS | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


def _imports(nodes: Iterator[ast.AST]) -> Iterator[tuple[str, Import]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, Import(alias.name)
                else:
                    yield alias.name.partition(".")[0], Import(alias.name)
        elif isinstance(node, ast.ImportFrom):
            target = _target(node)
            for alias in node.names:
                yield alias.asname or alias.name, Import(target.module, alias.name)


def _target(node: ast.ImportFrom) -> Import:
    return Import("." * node.level + (node.module or ""))


def _absolute(target: Import, package: str) -> Import:
    name = target.module.lstrip(".")
    level = len(target.module) - len(name)
    if not level:
        return target
    parents = package.split(".")
    base = ".".join(parents[: len(parents) - level + 1])
    return Import(f"{base}.{name}".strip("."), target.name)


def absolute_import(target: Import, module: ParsedModule) -> Import:
    """Resolve a relative import of a module."""
    return _absolute(target, module.package)
