"""Names that a scope binds: names inside a function that are no names of the notebook."""

import ast
from collections.abc import Iterable, Iterator, Sequence

_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_names(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Return the names that statements bind in their own scope, without those declared global.

    >>> sorted(bound_names(ast.parse("global a; a = 1; b, c = 2, [d for d in e]").body))
    ['b', 'c']
    """
    bound: set[str] = set()
    given_away: set[str] = set()
    for node in _own_nodes(nodes):
        if isinstance(node, ast.Global):
            given_away.update(node.names)
        else:
            bound.update(_bound_by(node))
    return frozenset(bound - given_away)


def comprehension_names(generators: Sequence[ast.comprehension]) -> frozenset[str]:
    """Return the names of a comprehension's own scope."""
    targets = [node for each in generators for node in ast.walk(each.target)]
    return frozenset(
        node.id
        for node in targets
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


def called_names(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Return the names that are called or passed to a call."""
    calls = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Call)]
    used = [
        part
        for call in calls
        for part in (call.func, *call.args, *(k.value for k in call.keywords))
    ]
    return frozenset(part.id for part in used if isinstance(part, ast.Name))


def root_name(node: ast.AST) -> str | None:
    """Return the name that a chain of attributes, items and calls begins with; or None."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def arguments_of(arguments: ast.arguments) -> list[ast.arg]:
    """Return the arguments of a function, in order."""
    several = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*several, *(each for each in (arguments.vararg, arguments.kwarg) if each)]


def argument_names(arguments: ast.arguments) -> frozenset[str]:
    """Return the names of a function's arguments."""
    return frozenset(each.arg for each in arguments_of(arguments))


def _own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield nodes of this scope; of inner functions only their names, of comprehensions only ``:=``."""
    for node in nodes:
        yield node
        if isinstance(node, _COMPREHENSIONS):
            yield from (each for each in ast.walk(node) if isinstance(each, ast.NamedExpr))
        elif not isinstance(node, _INNER):
            yield from _own_nodes(ast.iter_child_nodes(node))


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.NamedExpr(target=ast.Name(id=name)):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)):
            yield name
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (each.asname or each.name.partition(".")[0] for each in names)
