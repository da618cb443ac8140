"""A syntax tree without what changes no result: names of locals, import aliases, texts of logs."""

import ast
import copy
from collections.abc import Collection, Iterator, Mapping

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
# Code that asks for its own names while it runs: there they do count.
_ASKS_FOR_NAMES = frozenset({"dir", "eval", "exec", "locals", "vars"})
_LOG_METHODS = frozenset({"critical", "debug", "error", "exception", "info", "log", "warning"})
_MAKERS = frozenset({"getLogger", "get_logger"})


def without_log_texts(node: ast.stmt, tellers: Collection[str]) -> ast.stmt:
    """Empty the texts of calls that only tell something, in place.

    The values that such a call tells stay: computing them may change something.

    >>> ast.unparse(without_log_texts(ast.parse("print('rows:', load())").body[0], ["print"]))
    "print('', load())"

    Args:
        node: A top-level statement.
        tellers: Names of loggers, and ``print`` if it is Python's own.
    """
    for child in ast.walk(node):
        if not isinstance(child, ast.Expr) or not isinstance(child.value, ast.Call):
            continue
        call = child.value
        if _only_tells(call, tellers):
            call.args = [_EmptyTexts().visit(argument) for argument in call.args]
    return node


def with_canonical_names(node: ast.stmt, imports: Mapping[str, str]) -> ast.stmt:
    r"""Give a copy whose locals are numbered and whose imported names are what they stand for.

    >>> one, other = (ast.parse(f"def f(a):\n {x} = a\n return {x}").body[0] for x in "xy")
    >>> names = [ast.dump(with_canonical_names(node, {})) for node in (one, other)]
    >>> names[0] == names[1]
    True

    Args:
        node: A top-level statement.
        imports: What each imported name of the module stands for.
    """
    renamed = copy.deepcopy(node)
    _Renamer(imports).visit(renamed)
    return renamed


class _EmptyTexts(ast.NodeTransformer):
    """Empties texts, but not inside of calls: there they may be arguments that count."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        node.values = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        return node


def _only_tells(call: ast.Call, tellers: Collection[str]) -> bool:
    function = call.func
    if isinstance(function, ast.Name):  # print(…, file=…) may write what a step reads
        is_print = function.id == "print" and "print" in tellers
        return is_print and not any(key.arg == "file" for key in call.keywords)
    return (
        isinstance(function, ast.Attribute)
        and function.attr in _LOG_METHODS
        and isinstance(function.value, ast.Name)
        and function.value.id in tellers
    )


def find_tellers(statements: list[ast.stmt]) -> set[str]:
    r"""Name a module's loggers, and ``print`` unless the module has its own.

    >>> sorted(find_tellers(ast.parse("import logging\nmine = logging.getLogger()").body))
    ['logging', 'mine', 'print']
    """
    found = {"print"}
    for node in statements:
        match node:
            case ast.Import():
                found |= {n.asname or n.name for n in node.names if n.name == "logging"}
            case ast.ImportFrom(module="loguru"):
                found |= {n.asname or n.name for n in node.names if n.name == "logger"}
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=function)):
                maker = getattr(function, "attr", getattr(function, "id", ""))
                found |= {name} if maker in _MAKERS else set()
    own = {getattr(node, "name", None) for node in statements}
    return found - own


class _Renamer(ast.NodeTransformer):
    """Renames what each scope binds; a name that an inner scope binds is that scope's."""

    def __init__(self, imports: Mapping[str, str]) -> None:
        self._scopes: list[dict[str, str]] = [{name: f"<{of}>" for name, of in imports.items()}]
        self._count = 0

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._named(node.id)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = node.name and self._named(node.name)
        return self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.AST:
        node.name = node.name and self._named(node.name)
        return self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> ast.AST:
        node.name = node.name and self._named(node.name)
        return node

    def visit_MatchMapping(self, node: ast.MatchMapping) -> ast.AST:
        node.rest = node.rest and self._named(node.rest)
        return self.generic_visit(node)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self._named(name) for name in node.names]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        node.bases = [self.visit(item) for item in node.bases]
        node.keywords = [self.visit(item) for item in node.keywords]
        # What a class binds is its attributes: those are read from outside.
        self._scopes.append({name: name for name in _bound(node.body)})
        node.body = [self.visit(item) for item in node.body]
        self._scopes.pop()
        return node

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        node.args = self.visit(node.args)  # defaults and annotations belong to the scope around
        node.returns = node.returns and self.visit(node.returns)
        self._scopes.append(self._locals(node.body, node.args))
        node.body = [self.visit(item) for item in node.body]
        self._scopes.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function  # noqa: N815 - ast's names

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.args = self.visit(node.args)
        self._scopes.append(self._locals([ast.Expr(node.body)], node.args))
        node.body = self.visit(node.body)
        self._scopes.pop()
        return node

    def _visit_comprehension(self, node: ast.AST) -> ast.AST:
        targets = [part.target for part in node.generators]  # type: ignore[attr-defined]
        bound = dict.fromkeys(name for target in targets for name in _stored(target))
        self._scopes.append({name: self._new() for name in bound})
        visited = self.generic_visit(node)
        self._scopes.pop()
        return visited

    visit_ListComp = visit_SetComp = _visit_comprehension  # noqa: N815 - ast's names
    visit_DictComp = visit_GeneratorExp = _visit_comprehension  # noqa: N815

    def _locals(self, body: list[ast.stmt], arguments: ast.arguments) -> dict[str, str]:
        """Name what a function binds; its parameters are called by name from outside."""
        parameters = {
            item.arg: item.arg
            for item in (
                *arguments.posonlyargs,
                *arguments.args,
                *arguments.kwonlyargs,
                *(item for item in (arguments.vararg, arguments.kwarg) if item),
            )
        }
        outer = {name for n in _own_nodes(body) if isinstance(n, ast.Nonlocal) for name in n.names}
        bound = dict.fromkeys(name for name in _bound(body) if name not in outer)
        if any(_asks_for_names(item) for item in body):
            return {**{name: name for name in bound}, **parameters}
        fixed = {name: name for name in _fixed(body)} | parameters
        return {name: fixed.get(name) or self._new() for name in bound} | fixed

    def _new(self) -> str:
        self._count += 1
        return f"<{self._count}>"

    def _named(self, name: str) -> str:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), name)


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Give what belongs to a scope itself, in the order in which it is written."""
    for item in body:
        yield item
        if isinstance(item, _FUNCTIONS | ast.ClassDef | _COMPREHENSIONS):
            continue
        yield from _own_nodes(list(ast.iter_child_nodes(item)))  # type: ignore[arg-type] # any node


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """Give the names that a scope binds."""
    for node in _own_nodes(body):
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Import() | ast.ImportFrom():
                yield from (item.asname or item.name.partition(".")[0] for item in node.names)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                # A walrus in a comprehension binds in the scope around.
                yield from (n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr))


def _fixed(body: list[ast.stmt]) -> Iterator[str]:
    """Give the names that stay: of inner functions, of imports, of what is not the scope's own."""
    for node in _own_nodes(body):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Import() | ast.ImportFrom():
                yield from (item.asname or item.name.partition(".")[0] for item in node.names)
            case ast.Global():
                yield from node.names


def _stored(target: ast.expr) -> Iterator[str]:
    return (
        node.id
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


def _asks_for_names(node: ast.AST) -> bool:
    return any(
        isinstance(child, ast.Name) and child.id in _ASKS_FOR_NAMES for child in ast.walk(node)
    )
