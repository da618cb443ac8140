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
