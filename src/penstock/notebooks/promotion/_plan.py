"""The plan of a promotion: which cells make which step; written as TOML, for people to edit."""

import ast
import json
import keyword
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.core import PenstockError, did_you_mean
from penstock.notebooks._document import Notebook
from penstock.notebooks.promotion._statements import NotebookParts
from penstock.notebooks.rules import analyse

_ROLES = ("load", "prepare", "split", "train", "evaluate")
_LOADS = re.compile(r"^(read_|load_|fetch_|make_|open$|loadtxt|genfromtxt|from_csv)")
_SCORES = re.compile(
    r"(score|_error|report|confusion_matrix|roc_curve|auc|predict_proba|^predict$|^evaluate$)"
)
GENERATORS = "generators"  # output of a step that hands on the states of the random generators


@dataclass(frozen=True)
class PlannedStep:
    """A step of a plan.

    Args:
        name: Name of the step and of the function.
        cells: Positions of the cells, from 1, in order.
        inputs: Names of the inputs; computed.
        outputs: Names of the outputs, with their types; computed.
        text: Markdown above and between the cells.
        draws: True if the step continues the random generators of the step before.
        hands_on: True if the step returns the states of the random generators.
    """

    name: str
    cells: tuple[int, ...]
    inputs: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    draws: bool = False
    hands_on: bool = False


@dataclass(frozen=True)
class Plan:
    """The plan of a promotion.

    Args:
        notebook: The notebook, relative to the plan's folder.
        pipeline: Name of the pipeline and of the module.
        steps: The steps, in order.
        parameters: Parameters of the pipeline with their defaults.
    """

    notebook: str
    pipeline: str
    steps: tuple[PlannedStep, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_toml(self) -> str:
        """Return the plan as TOML; names and cells may be edited, the rest is computed again."""
        lines = [
            "# Which cells of the notebook make which step. Edit names and cells, and promote again:",
            "# each cell stands in one step, in the order of the notebook. The rest is computed.",
            f"notebook = {json.dumps(self.notebook)}",
            f"pipeline = {json.dumps(self.pipeline)}",
        ]
        if self.parameters:
            named = ", ".join(self.parameters)
            lines.append(f"parameters = {json.dumps(named.split(', '))}")
        for step in self.steps:
            lines += ["", "[[steps]]", f"name = {json.dumps(step.name)}"]
            lines += [f"cells = {list(step.cells)}", f"inputs = {json.dumps(list(step.inputs))}"]
            lines += [f"outputs = {json.dumps(list(step.outputs))}"]
        return "\n".join(lines) + "\n"


def first_plan(notebook: Notebook, parts: NotebookParts, pipeline: str, target: str) -> Plan:
    """Return a plan by headings, or by the uses in the cells where there are no headings."""
    kept = list(parts.bodies)
    sections = _by_headings(notebook, kept)
    if len(sections) <= 1:
        sections = _by_roles(notebook, parts, kept)
    taken = {*parts.module_names, *parts.parameters, pipeline, *keyword.kwlist, "ps"}
    taken |= {name for body in parts.bodies.values() for each in body for name in each.writes}
    steps = []
    for title, cells in sections:
        name = _free(_slug(title), taken)
        taken.add(name)
        steps.append(PlannedStep(name, tuple(cells)))
    return Plan(target, pipeline, tuple(steps), dict(parts.parameters))


def read_plan(path: Path, parts: NotebookParts) -> Plan:
    """Read an edited plan.

    Raises:
        PenstockError: If the plan cannot be read, or the cells are not the notebook's, once each,
            in order.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        steps = tuple(
            PlannedStep(str(s["name"]), tuple(map(int, s["cells"]))) for s in document["steps"]
        )
        plan = Plan(
            str(document["notebook"]), str(document["pipeline"]), steps, dict(parts.parameters)
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise PenstockError(
            what=f"Plan {path} cannot be read: {error}.",
            fix="Repair it, or delete it to get a new one.",
        ) from error
    _require_cells(path, plan, parts)
    return plan


def joined(one: PlannedStep, other: PlannedStep) -> PlannedStep:
    """Return a joined step of two neighbours, with the name of the larger."""
    name = one.name if len(one.cells) >= len(other.cells) else other.name
    return PlannedStep(name, (*one.cells, *other.cells))


def _require_cells(path: Path, plan: Plan, parts: NotebookParts) -> None:
    cells = [cell for step in plan.steps for cell in step.cells]
    kept = list(parts.bodies)
    missing, strange = set(kept) - set(cells), set(cells) - set(kept)
    names = [step.name for step in plan.steps]
    wrong = [name for name in names if not name.isidentifier() or keyword.iskeyword(name)]
    if missing or strange or cells != sorted(cells) or len(set(names)) < len(names) or wrong:
        raise PenstockError(
            what=f"Plan {path} does not fit the notebook: "
            + (f"cells {sorted(missing)} are in no step. " if missing else "")
            + (f"cells {sorted(strange)} compute nothing, or do not exist. " if strange else "")
            + ("The cells are not in order, or twice. " if cells != sorted(cells) else "")
            + (f"{wrong} are no names of functions. " if wrong else "")
            + ("Two steps have one name. " if len(set(names)) < len(names) else ""),
            why="A pipeline computes what the notebook computes from top to bottom.",
            fix="Edit the plan, or delete it to get a new one."
            + (f" {did_you_mean(wrong[0], names)}" if wrong else ""),
        )


def _by_headings(notebook: Notebook, kept: Sequence[int]) -> list[tuple[str, list[int]]]:
    sections: list[tuple[str, list[int]]] = []
    title, is_new = "", True
    for cell in notebook.cells:
        heading = _heading(cell.source) if cell.kind == "markdown" else ""
        if heading:
            title, is_new = heading, True
        elif cell.index in kept:
            if is_new or not sections:
                sections.append((title or "prepare", []))
                is_new = False
            sections[-1][1].append(cell.index)
    return sections


def _by_roles(
    notebook: Notebook, parts: NotebookParts, kept: Sequence[int]
) -> list[tuple[str, list[int]]]:
    """Begin a step where the kind of work goes on to a later kind."""
    sections: list[tuple[str, list[int]]] = []
    reached = -1
    for cell in kept:
        role = _role(notebook, parts, cell)
        if not sections or (role is not None and role > reached):
            reached = max(reached, role if role is not None else 0)
            sections.append((_ROLES[reached], []))
        sections[-1][1].append(cell)
    return sections


def _role(notebook: Notebook, parts: NotebookParts, cell: int) -> int | None:
    """Return the kind of a cell, as a place in the order of the work; None if unknown."""
    analysis = analyse(notebook)
    roles: set[int] = set()
    for statement in parts.bodies[cell]:
        for node in ast.walk(statement.node):
            if isinstance(node, ast.Call):
                roles |= _roles_of(node, analysis.dotted(node.func))
    return max(roles, default=1 if cell != next(iter(parts.bodies)) else None)


def _roles_of(node: ast.Call, name: str) -> set[int]:
    last = name.rpartition(".")[2]
    roles = {0} if _LOADS.match(last) else set()
    roles |= {2} if last == "train_test_split" else set()
    is_model = last == "fit" and len(node.args) >= 2  # noqa: PLR2004 - features and target
    roles |= {3} if is_model else set()
    return roles | ({4} if _SCORES.search(last) else set())


def _heading(text: str) -> str:
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            return line.strip().strip("#").strip()
    return ""


def _slug(title: str) -> str:
    words = re.findall(r"[a-z]+[a-z0-9]*", title.lower())
    return "_".join(words[:4]) or "step"


def _free(name: str, taken: Iterable[str]) -> str:
    taken = set(taken)
    free_name, number = name, 2
    while free_name in taken or keyword.iskeyword(free_name):
        free_name, number = f"{name}_{number}", number + 1
    if free_name != name and f"{name}_step" not in taken and number == 3:  # noqa: PLR2004 - the first clash
        return f"{name}_step"
    return free_name
