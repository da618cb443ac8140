"""Inputs and outputs of each step of a plan, from the text and from a recorded execution."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from penstock.notebooks._document import Notebook
from penstock.notebooks._events import CellFlow
from penstock.notebooks._scopes import bound_names, root_name
from penstock.notebooks.promotion._plan import Plan, PlannedStep, joined
from penstock.notebooks.promotion._recording import Recording
from penstock.notebooks.promotion._statements import NotebookParts, Statement

_PASSING = ("/.cache/", "/.config/", "__pycache__", "/.ipython/", "/.matplotlib/")


@dataclass(frozen=True)
class StepNeeds:
    """Uses in the text of a step with the notebook's variables.

    Args:
        reads: Names read before the step binds them.
        writes: Names bound.
        changes: Names whose value is changed in place, by the text or as recorded.
        local: Names of local definitions to be written into the step.
        passing: Names bound by loops and blocks only: no results.
    """

    reads: frozenset[str]
    writes: frozenset[str]
    changes: frozenset[str]
    local: tuple[str, ...]
    passing: frozenset[str]


def connect(plan: Plan, notebook: Notebook, parts: NotebookParts, recording: Recording) -> Plan:
    """Return the plan with inputs and outputs; steps are joined where a value cannot pass between them.

    Values that cannot pass: a function, an object of a class of the notebook, a value without a
    digest (an open file, a generator), files that a step writes and a later step reads, and what a
    step changes in a library: nobody sees which of the later steps it concerns.
    """
    steps = list(plan.steps)
    while True:
        needs = [needs_of(step, parts, recording) for step in steps]
        place = _cut(steps, needs, recording) or _patched(steps, parts)
        if place is None:
            break
        first, last = place
        whole = steps[first]
        for each in steps[first + 1 : last + 1]:
            whole = joined(whole, each)
        steps[first : last + 1] = [whole]
    return replace(plan, steps=_with_arrows(steps, needs, notebook, parts, recording))


def needs_of(step: PlannedStep, parts: NotebookParts, recording: Recording) -> StepNeeds:
    """Return the uses of the notebook's variables in a step."""
    body = [each for cell in step.cells for each in parts.bodies[cell]]
    flow = CellFlow(step.cells[0], tuple(event for each in body for event in each.flow.events))
    local = _local(flow.reads, parts)
    reads = set(flow.reads) | {n for name in local for n in parts.local_definitions[name].reads}
    seen = _seen_changes(step, recording)
    writes = set(flow.writes)
    reads |= {name for name in seen | set(flow.changes) if name not in writes}
    reads |= _perhaps(flow, writes)
    variables = _variables(parts)
    return StepNeeds(
        frozenset((reads - set(local)) & variables),
        frozenset(writes - parts.module_names),
        frozenset((seen | set(flow.changes)) & variables),
        tuple(local),
        _passing(body),
    )


def _passing(body: Sequence[Statement]) -> frozenset[str]:
    """Return names bound by ``for`` and ``with`` only."""
    heads: set[str] = set()
    for statement in body:
        for node in ast.walk(statement.node):
            if isinstance(node, ast.For | ast.AsyncFor):
                heads |= bound_names([node.target])
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                heads |= bound_names([node.optional_vars])
    assigned = [
        name
        for statement in body
        for node in ast.walk(statement.node)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
        for name in bound_names(node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    return frozenset(heads - set(assigned))


def _perhaps(flow: CellFlow, writes: set[str]) -> set[str]:
    """Return names that are bound on some ways only: on the rest the older value goes on."""
    sure = {e.name for e in flow.events if e.kind in {"write", "define", "import"}}
    return writes - sure


def _local(reads: Mapping[str, int], parts: NotebookParts) -> list[str]:
    """Return the local definitions that a step needs, also those that definitions need, in order."""
    definitions: list[str] = []
    waiting = [name for name in reads if name in parts.local_definitions]
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions.append(name)
            more = parts.local_definitions[name].reads
            waiting += [each for each in more if each in parts.local_definitions]
    places = list(parts.local_definitions)
    return sorted(definitions, key=places.index)


def _variables(parts: NotebookParts) -> set[str]:
    bound = {n for body in parts.bodies.values() for each in body for n in each.writes}
    return (bound | set(parts.parameters)) - parts.module_names


def _seen_changes(step: PlannedStep, recording: Recording) -> set[str]:
    """Return names whose value had a different digest after the step's cells than before."""
    before, after = recording.before(step.cells[0]), recording.after(step.cells[-1])
    return {
        name
        for name, facts in before.items()
        if name in after and after[name]["digest"] != facts["digest"]
    }


def _cut(
    steps: Sequence[PlannedStep], needs: Sequence[StepNeeds], recording: Recording
) -> tuple[int, int] | None:
    """Return the places of two steps that must be joined; None if all values can pass."""
    for later, need in enumerate(needs):
        for name in sorted(need.reads):
            earlier = _source(name, later, needs)
            if earlier is not None and not _can_pass(name, steps[earlier], recording):
                return earlier, later
        earlier_files = _writer(steps, later, recording)
        if earlier_files is not None:
            return earlier_files, later
    return None


def _patched(steps: Sequence[PlannedStep], parts: NotebookParts) -> tuple[int, int] | None:
    """Return a step that changes a library, and the last step; None if no step before the last does."""
    imported = {name for each in parts.imports for name in each.writes}
    definitions = [*parts.definitions, *parts.local_definitions.values()]
    patching = {n for each in definitions if _patches(each.node, imported) for n in each.writes}
    for place, step in enumerate(steps[:-1]):
        body = [each for cell in step.cells for each in parts.bodies[cell]]
        if any(_patches(each.node, imported) or each.reads & patching for each in body):
            return place, len(steps) - 1
    return None


def _patches(node: ast.AST, imported: set[str]) -> bool:
    """Return whether code assigns to an attribute or item of what is imported: ``pd.DataFrame.f = …``.

    Variables of the environment are none: penstock undoes them behind each step, and a difference
    joins the steps.
    """
    for each in ast.walk(node):
        match each:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) as target:
                changed: ast.expr = target.value
            case ast.Subscript(value=ast.Attribute() as held, ctx=ast.Store() | ast.Del()):
                changed = held
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[target, *_]):
                changed = target
            case _:
                continue
        if root_name(changed) in imported and ast.unparse(changed) != "os.environ":
            return True
    return False


def _source(name: str, later: int, needs: Sequence[StepNeeds]) -> int | None:
    """Return the last step before that binds or changes a name."""
    makers = [p for p in range(later) if name in needs[p].writes | needs[p].changes]
    return makers[-1] if makers else None


def _can_pass(name: str, step: PlannedStep, recording: Recording) -> bool:
    facts = recording.after(step.cells[-1]).get(name)
    if facts is None:
        return True  # deleted, or never bound on this way
    own = facts["own"]
    is_taken = facts["digest"] is not None and name not in recording.refused
    return facts["kind"] == "value" and is_taken and not own


def _writer(steps: Sequence[PlannedStep], later: int, recording: Recording) -> int | None:
    """Return an earlier step that a file binds to this step: a file written by the first and opened by the second."""
    read, written = (_files(steps[later], recording, kind) for kind in ("read", "written"))
    for place in range(later):
        old_read, old_written = (
            _files(steps[place], recording, kind) for kind in ("read", "written")
        )
        if (read | written) & old_written or written & old_read:
            return place
    return None


def _files(step: PlannedStep, recording: Recording, kind: str) -> set[str]:
    return {
        name
        for each in recording.cells
        if each.cell in step.cells
        for name in each.files[kind]
        if not name.startswith(("/dev/", "/proc/")) and not any(p in name for p in _PASSING)
    }


def _with_arrows(
    steps: Sequence[PlannedStep],
    needs: Sequence[StepNeeds],
    notebook: Notebook,
    parts: NotebookParts,
    recording: Recording,
) -> tuple[PlannedStep, ...]:
    draws = [any(recording.draws(cell) for cell in step.cells) for step in steps]
    finals = _finals(steps, needs, recording)
    planned = []
    for place, (step, need) in enumerate(zip(steps, needs, strict=True)):
        wanted = {n for later in needs[place + 1 :] for n in later.reads}
        made = need.writes | need.changes
        names = [n for n in _in_order(step, parts, made) if n in wanted or finals.get(n) == place]
        after = recording.after(step.cells[-1])
        known = [n for n in names if n in after]
        reads = {
            n for n in need.reads if _source(n, place, needs) is not None or n in parts.parameters
        }
        hands_on = draws[place] and any(draws[place + 1 :])
        planned.append(
            replace(
                step,
                inputs=tuple(sorted(reads)),
                outputs={n: str(after[n]["type"]) for n in known},
                text=_text(notebook, steps, place),
                draws=draws[place] and any(draws[:place]),
                hands_on=hands_on,
            )
        )
    return tuple(planned)


def _in_order(step: PlannedStep, parts: NotebookParts, made: frozenset[str]) -> list[str]:
    order: dict[str, None] = {}
    for cell in step.cells:
        for statement in parts.bodies[cell]:
            for event in statement.flow.flat:
                if event.name in made:
                    order.setdefault(event.name)
    return [*order, *sorted(made - set(order))]


def _finals(
    steps: Sequence[PlannedStep], needs: Sequence[StepNeeds], recording: Recording
) -> dict[str, int]:
    """Return names that are results of the notebook, with the step that makes the last value."""
    end = recording.cells[-1].values if recording.cells else {}
    finals = {}
    for place, need in enumerate(needs):
        for name in (need.writes | need.changes) - need.passing:
            facts = end.get(name)
            if (
                facts is not None
                and not name.startswith("_")
                and _can_pass(name, steps[place], recording)
            ):
                finals[name] = place
    return finals


def _text(notebook: Notebook, steps: Sequence[PlannedStep], place: int) -> str:
    """Return the markdown from the end of the step before to the last cell of this step."""
    first = steps[place - 1].cells[-1] if place else 0
    cells = notebook.cells[first : steps[place].cells[-1]]
    return "\n\n".join(
        cell.source.strip() for cell in cells if cell.kind == "markdown" and cell.source.strip()
    )


def statements(step: PlannedStep, parts: NotebookParts) -> list[Statement]:
    """Return a step's statements, in order."""
    return [each for cell in step.cells for each in parts.bodies[cell]]
