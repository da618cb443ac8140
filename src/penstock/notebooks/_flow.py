"""From a cell's syntax tree to the events of its names, in the order of execution."""

import ast
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from penstock.notebooks._document import NotebookCell
from penstock.notebooks._events import CHANGING, OWN, CellFlow, Deferred, Event, EventKind
from penstock.notebooks._implicit import (
    SHOWN,
    UnseenCalls,
    built_in_uses,
    is_property,
    made_property,
    named_attribute,
    operator_event,
    setter_of,
)
from penstock.notebooks._scopes import (
    argument_names,
    arguments_of,
    bound_names,
    called_names,
    comprehension_names,
    root_name,
)

_OPAQUE_CALLS = frozenset({"exec", "globals", "locals", "execfile"})
_QUERIES = frozenset({"query", "eval"})
_CAUGHT = frozenset({"NameError", "Exception", "BaseException"})


def cell_flow(cell: NotebookCell) -> CellFlow:
    """Return the events of names in a cell; none without a syntax tree.

    >>> flow = cell_flow(NotebookCell(1, "code", "b = a + 1"))
    >>> flow.reads, flow.writes
    ({'a': 1}, {'b': 1})
    """
    walker = FlowWalker()
    for magic in cell.python.magics:
        if magic.is_opaque:
            walker.emit("opaque", magic.name, magic.line)
    if cell.python.tree is not None:
        walker.walk(_executed(cell))
        walker.show(cell.python.tree)
    return CellFlow(cell.index, tuple(walker.events))


def _executed(cell: NotebookCell) -> list[ast.stmt]:
    """Return a cell's statements; under ``%%timeit`` they are a function's, which keeps what it binds."""
    tree, magics = cell.python.tree, cell.python.magics
    if tree is None or not (magics and magics[0].is_cell and magics[0].name == "timeit"):
        return tree.body if tree is not None else []
    setup = re.sub(r"(?:^|\s)-(?:[nrpo]\s*\d*|[tcqo])(?=\s|$)", " ", magics[0].argument).strip()
    try:
        before = ast.parse(setup).body
    except SyntaxError:
        before = []
    frame = ast.parse("def timed(): pass\ntimed()").body
    if isinstance(frame[0], ast.FunctionDef):
        frame[0].name = "%%timeit"  # no name of the notebook
        frame[0].body = [*before, *tree.body] or frame[0].body
        for node in ast.walk(frame[1]):
            if isinstance(node, ast.Name):
                node.id = "%%timeit"
    return frame


class FlowWalker(UnseenCalls, ast.NodeVisitor):
    """Walks statements in the order of their execution and collects events.

    Args:
        scopes: Names of the enclosing functions, with whether the scope is a class's.
        own: The name of the object whose method is walked; else empty.
        called: Names that the enclosing function calls or passes to a call.
    """

    def __init__(
        self,
        scopes: Sequence[tuple[frozenset[str], bool]] = (),
        own: str = "",
        called: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(scopes, own)
        self._called_names = called

    def show(self, tree: ast.Module) -> None:
        """Note the display of a cell's last value."""
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            self._uses(last.value, SHOWN, kind="shown")

    # Names and values

    def visit_Name(self, node: ast.Name) -> None:
        """Read, bind or delete."""
        kinds: dict[type, EventKind] = {ast.Load: "read", ast.Store: "write", ast.Del: "delete"}
        self.emit(kinds[type(node.ctx)], node.id, node.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Change the object if the attribute is bound."""
        self._member(node, node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Change the object if the item is bound."""
        self._member(node, node.value, node.slice)

    def _member(self, node: ast.Attribute | ast.Subscript, *parts: ast.AST) -> None:
        self.walk(parts)
        if isinstance(node, ast.Attribute):
            ends = {ast.Store: ".setter", ast.Del: ".deleter"}
            self._uses(node.value, node.attr + ends.get(type(node.ctx), ""), kind="attribute")
        else:
            names = {ast.Store: "__setitem__", ast.Del: "__delitem__"}
            self._uses(node.value, names.get(type(node.ctx), "__getitem__"))
        if not isinstance(node.ctx, ast.Load) and (root := root_name(node)):
            self.emit("change", root, node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        """Call a function or a method; names that are passed may be called as well."""
        self.visit(node.func)
        arguments = [*node.args, *(each.value for each in node.keywords)]
        later = made_property(node)
        for argument in arguments:
            if argument is later:
                self.visit(argument)
            else:
                self._argument(argument)
        self._query(node)
        for used, methods in built_in_uses(node):
            self._uses(used, methods)
        if named := named_attribute(node):
            self._uses(*named, kind="attribute")
        if isinstance(node.func, ast.Name):
            self._called(node.func)
        elif isinstance(node.func, ast.Attribute):
            self._method(node, node.func)
        for argument in arguments:
            if isinstance(argument, ast.Name):
                self.emit("pass", argument.id, argument.lineno)
            elif isinstance(argument, ast.Attribute):
                self._method_call(argument, node.lineno)

    def _argument(self, argument: ast.AST) -> None:
        if isinstance(argument, ast.Lambda):  # a lambda that is passed will be called
            with self._scope(argument_names(argument.args)):
                self.visit(argument.body)
            self._defaults(argument.args)
        else:
            self.visit(argument)

    def _called(self, function: ast.Name) -> None:
        if function.id in _OPAQUE_CALLS:
            self.emit("opaque", function.id, function.lineno)
        self.emit("call", function.id, function.lineno)

    def _method(self, node: ast.Call, function: ast.Attribute) -> None:
        root = root_name(function) or ""
        is_changing = function.attr in CHANGING or any(
            each.arg == "inplace" and not _is_false(each.value) for each in node.keywords
        )
        if root and is_changing:
            self.emit("change", root, node.lineno, function.attr)
        self._method_call(function, node.lineno)

    def _method_call(self, function: ast.Attribute, line: int) -> None:
        root = root_name(function) or ""
        if any(root in names for names, _ in self._scopes):  # an object of the function
            root = OWN if root == self._own and isinstance(function.value, ast.Name) else ""
        self.events.append(Event("method", root, line, function.attr))

    def _query(self, node: ast.Call) -> None:
        """Read the names that ``df.query("x > @limit")`` reads."""
        if not (isinstance(node.func, ast.Attribute) and node.func.attr in _QUERIES):
            return
        for text in node.args[:1]:
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                for name in re.findall(r"@([A-Za-z_]\w*)", text.value):
                    self.emit("read", name, node.lineno)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """Bind after the value; also from within a comprehension."""
        self.visit(node.value)
        self.visit(node.target)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Either of two values."""
        self.visit(node.test)
        self._truth(node.test)
        self._branch([node.body], [node.orelse])

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """The first value, perhaps the rest."""
        self.visit(node.values[0])
        self._truth(node.values[0])
        self._branch(node.values[1:], [])

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A body for later."""
        self._defaults(node.args)
        self._define("", node, argument_names(node.args), [node.body])

    def _comprehension(self, node: ast.AST, first: Sequence[ast.AST]) -> None:
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]  # of all four
        self.visit(generators[0].iter)
        self._iterates(generators[0].iter)
        with self._scope(comprehension_names(generators)):
            for place, each in enumerate(generators):
                self.walk([*([each.iter] if place else []), *each.ifs])
            self.walk(first)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> None:
        """Values of an inner scope."""
        self._comprehension(node, [node.elt])

    visit_SetComp = visit_GeneratorExp = visit_ListComp  # noqa: N815 - names of ast

    def visit_DictComp(self, node: ast.DictComp) -> None:
        """Keys and values of an inner scope."""
        self._comprehension(node, [node.key, node.value])

    # Statements

    def visit_Assign(self, node: ast.Assign) -> None:
        """Bind after the value."""
        target = node.targets[0]
        if isinstance(node.value, ast.Lambda) and isinstance(target, ast.Name):
            self._defaults(node.value.args)
            self._define(target.id, node, argument_names(node.value.args), [node.value.body])
            self.walk(node.targets[1:])
            for each in node.targets[1:]:
                if isinstance(each, ast.Name):
                    self.emit("alias", each.id, node.lineno, target.id)
            return
        self.walk([node.value, *node.targets])
        if isinstance(node.value, ast.Name) and isinstance(target, ast.Name):
            self.emit("alias", target.id, node.lineno, node.value.id)
        for each in node.targets:
            self._unpacked(each, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Read, change, bind."""
        if isinstance(node.target, ast.Name):
            self.emit("read", node.target.id, node.lineno)
            self.visit(node.value)
            self.emit("change", node.target.id, node.lineno)
        else:
            self.visit(node.value)
        left, right = self._operand(node.target), self._operand(node.value)
        self.events.append(operator_event(node, left, right, in_place=True))
        self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Bind if there is a value."""
        self.visit(node.annotation)
        if node.value is not None:
            self.walk([node.value, node.target])
            self._unpacked(node.target, node.value)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        """Taken as executed: an empty loop is rare."""
        self.visit(node.iter)
        if isinstance(node, ast.For):
            self._iterates(node.iter)
        else:
            self._uses(node.iter, "__aiter__")
            self._uses(node.iter, "__anext__")
        self.walk([node.target, *node.body, *node.orelse])

    visit_AsyncFor = visit_For  # noqa: N815 - names of ast

    def visit_While(self, node: ast.While) -> None:
        """A body that may never run."""
        self.visit(node.test)
        self._truth(node.test)
        if isinstance(node.test, ast.Constant) and node.test.value:
            self.walk(node.body)
        else:
            self._branch(node.body, [])
        self.walk(node.orelse)

    def visit_If(self, node: ast.If) -> None:
        """Either of two bodies; of a constant condition the body that runs."""
        if isinstance(node.test, ast.Constant):
            self.walk(node.body if node.test.value else node.orelse)
            return
        self.visit(node.test)
        self._truth(node.test)
        if "__main__" in ast.dump(node.test):
            self.walk(node.body)
        else:
            self._branch(node.body, node.orelse)

    def visit_Match(self, node: ast.Match) -> None:
        """A single case, or none."""
        self.visit(node.subject)
        bodies: list[list[ast.AST]] = []
        for case in node.cases:
            names = [
                ast.copy_location(ast.Name(name, ast.Store()), case.body[0])
                for name in sorted(bound_names([case.pattern]))
            ]
            bodies.append([*names, *case.body])
        self._branch(*bodies, [])

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        """Contexts, then the body."""
        sign = "a" if isinstance(node, ast.AsyncWith) else ""
        for item in node.items:
            self.visit(item.context_expr)
            self._uses(item.context_expr, f"__{sign}enter__")
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        self.walk(node.body)
        for item in node.items:
            self._uses(item.context_expr, f"__{sign}exit__")

    visit_AsyncWith = visit_With  # noqa: N815 - names of ast

    def visit_Try(self, node: ast.Try) -> None:
        """The body and the rest, or a handler."""
        caught = {
            name.id if isinstance(name, ast.Name) else ""
            for handler in node.handlers
            for name in ast.walk(handler.type or ast.Name("Exception", ast.Load()))
        }
        options = [self._collect([*node.body, *node.orelse])]
        options += [self._handler(handler) for handler in node.handlers if not _leaves(handler)]
        self.events.append(
            Event("try", "", node.lineno, options=tuple(options), catches=bool(caught & _CAUGHT))
        )
        self.walk(node.finalbody)

    def visit_TryStar(self, node: ast.TryStar) -> None:
        """As `visit_Try`."""
        self.visit_Try(node)  # type: ignore[arg-type]  # the same fields

    def _handler(self, handler: ast.ExceptHandler) -> tuple[Event, ...]:
        with self._scope(frozenset({handler.name} if handler.name else ())):
            return self._collect(handler.body)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Bind modules or their names."""
        module = "." * getattr(node, "level", 0) + (getattr(node, "module", "") or "")
        for each in node.names:
            if each.name == "*":
                self.emit("star", module, node.lineno)
                continue
            name = each.asname or each.name.partition(".")[0]
            whole = f"{module}.{each.name}" if module else each.name
            self.emit("import", name, node.lineno, whole if each.asname or module else name)

    visit_ImportFrom = visit_Import  # noqa: N815 - names of ast

    def visit_Global(self, node: ast.Global) -> None:
        """Nothing: names of a scope leave out those declared global."""

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Evaluate decorators, defaults and hints now, the body later."""
        self._decorators(node.decorator_list)
        self._defaults(node.args)
        hints = [each.annotation for each in arguments_of(node.args) if each.annotation]
        self.walk([*hints, *([node.returns] if node.returns else [])])
        names = argument_names(node.args) | bound_names(node.body)
        self._define(node.name, node, names, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - names of ast

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Execute the class's body now, methods later."""
        self._decorators(node.decorator_list)
        self.walk([*node.bases, *(each.value for each in node.keywords)])
        methods: dict[str, Deferred] = {}
        attributes: dict[str, str] = {}
        inner = FlowWalker([*self._scopes, (bound_names(node.body), True)])
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                inner.events = []
                own = statement.args.args[0].arg if statement.args.args else ""
                outer = FlowWalker([each for each in self._scopes if not each[1]], own)
                outer.visit_FunctionDef(statement)
                *before, last = outer.events or [Event("opaque")]
                self.events += [each for each in before if each.name not in bound_names(node.body)]
                if last.body is not None:
                    self._add_method(methods, statement, last.body)
            else:
                inner.visit(statement)
                self._add_attribute(methods, attributes, statement)
                self.events += [each for each in inner.events if each.kind != "define"]
                inner.events = []
        bases = tuple(name for base in node.bases if (name := root_name(base)))
        body = Deferred(
            node.name, node.lineno, (), methods, bases, is_class=True, attributes=attributes
        )
        if not any(node.name in names for names, _ in self._scopes):
            self.events.append(Event("define", node.name, node.lineno, body=body))

    def _add_method(
        self,
        methods: dict[str, Deferred],
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        body: Deferred,
    ) -> None:
        end = setter_of(node.decorator_list)
        names = tuple(name for each in node.decorator_list if (name := root_name(each)))
        methods[f"{node.name}.{end}" if end else node.name] = replace(
            body, is_property=is_property(node.decorator_list), decorators=names
        )

    def _add_attribute(
        self, methods: dict[str, Deferred], attributes: dict[str, str], node: ast.stmt
    ) -> None:
        """Note an attribute of a class that an object of another class, or a property, answers."""
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets:
            if not isinstance(target, ast.Name) or value is None:
                continue
            function = made_property(value)
            if isinstance(function, ast.Name) and function.id in methods:
                methods[target.id] = replace(methods[function.id], is_property=True)
            elif isinstance(function, ast.Lambda):
                own = function.args.args[0].arg if function.args.args else ""
                walker = FlowWalker([each for each in self._scopes if not each[1]], own)
                walker.visit(function)
                if walker.events and walker.events[-1].body is not None:
                    methods[target.id] = replace(walker.events[-1].body, is_property=True)
            elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                attributes[target.id] = value.func.id

    # Parts

    def _decorators(self, decorators: Sequence[ast.AST]) -> None:
        self.walk(decorators)
        for each in decorators:
            if isinstance(each, ast.Name):
                self.emit("call", each.id, each.lineno)

    def _defaults(self, arguments: ast.arguments) -> None:
        self.walk([*arguments.defaults, *(each for each in arguments.kw_defaults if each)])

    def _define(
        self, name: str, node: ast.AST, names: frozenset[str], body: Sequence[ast.AST]
    ) -> None:
        line: int = node.lineno  # type: ignore[attr-defined]  # of a statement or a lambda
        functions = [each for each in self._scopes if not each[1]]
        inner = FlowWalker([*functions, (names, False)], self._own, called_names(body))
        inner.walk(body)
        if self._scopes and functions:  # a function in a function: part of the outer one's body
            events = tuple(inner.events)
            if name in self._called_names:
                self.events += events
            elif events:  # returned or kept: the outer one does not call it for sure
                self.events.append(Event("branch", options=(events, ())))
        else:
            deferred = Deferred(name, line, tuple(inner.events))
            self.events.append(Event("define", name, line, body=deferred))

    def _branch(self, *bodies: Sequence[ast.AST]) -> None:
        options = tuple(self._collect(body) for body in bodies)
        self.events.append(Event("branch", options=options))

    def _collect(self, body: Sequence[ast.AST]) -> tuple[Event, ...]:
        kept, self.events = self.events, []
        self.walk(body)
        collected, self.events = tuple(self.events), kept
        return collected

    @contextmanager
    def _scope(self, names: frozenset[str]) -> Iterator[None]:
        self._scopes.append((names, False))
        try:
            yield
        finally:
            self._scopes.pop()


def _is_false(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _leaves(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler never goes on after the try."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise | ast.Return | ast.Continue | ast.Break):
        return True
    call = last.value if isinstance(last, ast.Expr) else None
    return isinstance(call, ast.Call) and getattr(
        call.func, "attr", getattr(call.func, "id", "")
    ) in {"exit", "quit", "_exit"}
