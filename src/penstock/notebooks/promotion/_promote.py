"""``promote_notebook``: a notebook to a pipeline with tests, written only after a proof of equality."""

import ast
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.core import ConflictError, PenstockError
from penstock.notebooks._check import report_of
from penstock.notebooks._document import Notebook
from penstock.notebooks._flow import cell_flow
from penstock.notebooks._magics import PYTHON_LINES, Magic
from penstock.notebooks._run import require_runnable
from penstock.notebooks.promotion._compare import (
    Digests,
    PipelineFailedError,
    PromotionDifference,
    differences,
    expected_digests,
    run_promoted,
    versions_of,
)
from penstock.notebooks.promotion._dataflow import connect
from penstock.notebooks.promotion._plan import Plan, first_plan, joined, read_plan
from penstock.notebooks.promotion._recording import Recording, record_notebook
from penstock.notebooks.promotion._render import Renderer, golden_json
from penstock.notebooks.promotion._statements import NotebookParts, sort_statements
from penstock.notebooks.rules import analyse
from penstock.notebooks.rules._packages import distribution_of

_IPYTHON_NAMES = frozenset({"In", "Out", "__", "___", "_ih", "_oh", "_dh"})
_HISTORY = re.compile(r"_i?\d+$")  # Out[3] and In[3]
_LOOKS = frozenset({"globals", "locals", "vars", "exec", "eval"})
_MOVES = frozenset({"cd", "env", "set_env"})


@dataclass(frozen=True)
class PromotedNotebook:
    """A promoted notebook.

    Args:
        folder: Folder of the files.
        files: Files written: pipeline, test, plan, golden digests.
        plan: The plan with the inputs and outputs of each step.
        left_out: Cells with code that are in no step: they only import, define, or show something.
        compared: Number of values found equal in the pipeline and in the notebook.
    """

    folder: Path
    files: Sequence[Path]
    plan: Plan
    left_out: Sequence[int]
    compared: int

    def to_json(self) -> dict[str, Any]:
        """Return the promotion as plain JSON."""
        steps = [
            {
                "name": step.name,
                "cells": list(step.cells),
                "inputs": list(step.inputs),
                "outputs": dict(step.outputs),
            }
            for step in self.plan.steps
        ]
        return {
            "folder": str(self.folder),
            "files": [str(path) for path in self.files],
            "pipeline": self.plan.pipeline,
            "parameters": dict(self.plan.parameters),
            "steps": steps,
            "left_out": list(self.left_out),
            "compared": self.compared,
        }


def promote_notebook(
    path: str | Path,
    folder: str | Path,
    *,
    plan_only: bool = False,
    overwrite: bool = False,
    force: bool = False,
    timeout_s: float | None = None,
) -> PromotedNotebook:
    """Write a notebook as a pipeline of plain functions, proved equal by running both.

    The notebook is executed from top to bottom in a fresh kernel. The pipeline is executed too, and
    each output of each step must have the content digest of the notebook's value; steps whose values
    cannot pass between them, or do not come out equal, are joined. Nothing is written otherwise.

    Args:
        path: The notebook.
        folder: Folder of the files. A ``plan.toml`` there, edited, decides the steps.
        plan_only: Write only the plan.
        overwrite: Replace files that were changed since they were written.
        force: Leave out magics without a form in Python instead of refusing.
        timeout_s: Longest duration of a cell, seconds; None for no limit.

    Returns:
        The plan, the files and the number of values compared.

    Raises:
        NotFoundError: If the notebook cannot be read.
        PenstockError: If cells prevent the promotion, each named with the reason.
        ConflictError: If a file in the folder is not the promotion's own, and ``overwrite`` is not set.
    """
    notebook, folder = require_runnable(path), Path(folder)
    _require_promotable(notebook, force=force)
    recording = record_notebook(notebook, timeout_s=timeout_s)
    _require_finished(notebook, recording)
    parts = sort_statements(notebook, recording.changed())
    _refuse(notebook, parts.problems)
    work = _Work(notebook, parts, recording, folder, timeout_s)
    plan = work.plan()
    if not plan.steps:
        raise PenstockError(
            what=f"{path} has no cell that computes a value.",
            why="Imports, definitions and what is only shown make no step, and a pipeline has one at least.",
            fix="Promote the notebook that computes; functions alone are a module that you can import.",
        )
    if plan_only:
        file = _write(folder, {"plan.toml": plan.to_toml()}, overwrite=True)
        return PromotedNotebook(folder, file, plan, work.left_out, 0)
    plan, texts, compared = work.proved(plan)
    files = _write(folder, texts, overwrite=overwrite)
    return PromotedNotebook(folder, files, plan, work.left_out, compared)


class _Work:
    """A promotion under way."""

    def __init__(
        self,
        notebook: Notebook,
        parts: NotebookParts,
        recording: Recording,
        folder: Path,
        timeout_s: float | None,
    ) -> None:
        self._notebook, self._parts, self._recording = notebook, parts, recording
        self._folder, self._timeout_s = folder, timeout_s
        self._edited = (folder / "plan.toml").is_file()

    @property
    def left_out(self) -> list[int]:
        return [c.index for c in self._notebook.code_cells if c.index not in self._parts.bodies]

    def plan(self) -> Plan:
        """Return the folder's plan, or a first plan, with inputs and outputs."""
        target = os.path.relpath(self._notebook.path.resolve(), self._folder.resolve())
        name = module_name(self._notebook.path.stem)
        if name in _imported_modules(self._notebook):  # else the pipeline imports itself
            name = f"{name}_pipeline"
        if self._edited:
            plan = read_plan(self._folder / "plan.toml", self._parts)
            plan = replace(plan, notebook=target)
        else:
            plan = first_plan(self._notebook, self._parts, name, Path(target).as_posix())
        connected = connect(plan, self._notebook, self._parts, self._recording)
        if self._edited and len(connected.steps) < len(plan.steps):
            raise _cannot_divide(plan, connected)
        return connected

    def proved(self, plan: Plan) -> tuple[Plan, dict[str, str], int]:
        """Return a plan whose pipeline is equal to the notebook, the files, and the number of values."""
        is_first = True
        while True:
            expected = expected_digests(plan, self._recording)
            with _tried(self._notebook, plan, self._parts, self._recording) as (folder, trial):
                digests, failed = _run(folder, trial)
            differing = list(differences(expected, digests))
            if not failed and not differing:
                count = sum(map(len, expected.values()))
                return plan, self._texts(plan, digests), count
            if is_first:
                self._require_repeatable()
            is_first = False
            step = str(failed.step) if failed else differing[0].step
            wider = None if self._edited else _wider(plan, step)
            if wider is None:
                raise _not_equal(self._notebook, plan, failed, differing)
            plan = connect(wider, self._notebook, self._parts, self._recording)

    def _texts(self, plan: Plan, digests: Digests) -> dict[str, str]:
        renderer = Renderer(plan, self._parts, self._recording, self._folder)
        modules = {n.partition(".")[0] for n in analyse(self._notebook).imported.values()}
        versions = versions_of({distribution_of(module) for module in modules if module})
        return {
            f"{plan.pipeline}.py": renderer.module(),
            f"test_{plan.pipeline}.py": renderer.test(),
            "plan.toml": plan.to_toml(),
            "golden.json": golden_json(digests, versions),
        }

    def _require_repeatable(self) -> None:
        """Refuse a notebook whose values differ between two fresh executions, with the cells."""
        again = record_notebook(self._notebook, timeout_s=self._timeout_s)
        problems: list[tuple[int, int, str]] = []
        reported: set[str] = set()
        for one, other in zip(self._recording.cells, again.cells, strict=False):
            for name, facts in one.values.items():
                other_digest = other.values.get(name, {}).get("digest")
                if facts["digest"] != other_digest and name not in reported:
                    reported.add(name)
                    text = f"{name!r} has another value in each fresh execution; seed what draws, or read the time elsewhere"
                    problems.append((one.cell, 1, text))
        _refuse(self._notebook, problems)


def _imported_modules(notebook: Notebook) -> set[str]:
    """Return the top-level modules that the pipeline's module would hide if it had their name."""
    trees = [cell.python.tree for cell in notebook.code_cells if cell.python.tree is not None]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return (
        {name.partition(".")[0] for name in names}
        | sys.stdlib_module_names
        | {"penstock", "pytest"}
    )


def module_name(stem: str) -> str:
    """Return a file's name as the name of a module.

    >>> module_name("02 Churn-model (final)")
    'churn_model_final'
    """
    name = "_".join(re.findall(r"[a-z0-9]+", stem.lower())).lstrip("0123456789_")
    return name or "notebook"


def _require_promotable(notebook: Notebook, *, force: bool) -> None:
    report = report_of(notebook)
    problems = [
        (finding.cell, finding.line, finding.message.rstrip("."))
        for finding in report.counting("error")
        if finding.rule in {"NB2", "NB10"}
    ]
    for cell in notebook.code_cells:
        for magic in cell.python.magics:
            assigned = magic.text[:1] not in "%!?" and magic.name not in {"?", *PYTHON_LINES}
            assigned = assigned or bool(magic.bound)
            blocks = magic.kind == "blocking" or magic.name in _MOVES or assigned
            if blocks and not (force and not assigned):
                problems.append((cell.index, magic.line, f"{magic.text!r} has no form in Python"))
        problems += [(cell.index, *each) for each in _blocking(cell.python.tree)]
    problems += _last_outputs(notebook)
    _refuse(notebook, problems)


def _last_outputs(notebook: Notebook) -> Iterator[tuple[int, int, str]]:
    """Yield where ``_`` is read as the last output: a notebook that binds the name means its own."""
    for cell in notebook.code_cells:
        flow = cell_flow(cell)
        if "_" in flow.reads:
            yield cell.index, flow.reads["_"], "_ is the last output of an interactive session"
        if "_" in flow.writes:
            return


def _blocking(tree: ast.Module | None) -> Iterator[tuple[int, str]]:
    """Yield lines of a cell that mean something else in a function, with the reason."""
    harmless = {id(node) for node in ast.walk(tree or ast.Module([], [])) if _is_harmless(node)}
    for node in ast.walk(tree or ast.Module([], [])):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")))):
                if id(node) not in harmless:
                    yield node.lineno, "get_ipython() does what only a kernel can"
            case ast.Name(id="__name__", lineno=line):
                yield line, "__name__ is another one in a module"
            case ast.Name(id=name, lineno=line) if name in _IPYTHON_NAMES or _HISTORY.match(name):
                yield line, f"{name} is the history of an interactive session"
            case ast.Call(func=ast.Name(id=name), lineno=line) if name in _LOOKS:
                yield line, f"{name}() looks at the notebook's own names"
    for statement in (tree or ast.Module([], [])).body:
        if isinstance(statement, ast.AsyncFunctionDef | ast.ClassDef):
            continue
        waits = next((n for n in ast.walk(statement) if _waits(n)), None)
        if waits is not None:
            line = getattr(waits, "lineno", statement.lineno)
            yield line, "await stands at the top level; use asyncio.run"


def _waits(node: ast.AST) -> bool:
    """Return whether a node is executed in an asynchronous function only."""
    is_async = isinstance(node, ast.comprehension) and bool(node.is_async)
    return is_async or isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)


def _is_harmless(node: ast.AST) -> bool:
    """Return whether a call is a magic that a program leaves out: ``get_ipython().run_line_magic(…)``."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="run_line_magic" | "magic"),
            args=[ast.Constant(value=str(text)), *_],
        ):
            words = text.split()
            return bool(words) and Magic(text, 1, words[0]).kind == "portable"
    return False


def _require_finished(notebook: Notebook, recording: Recording) -> None:
    failed = recording.failed
    if failed is not None:
        text = f"it fails in a fresh top-down execution: {failed.run.error}"
        _refuse(notebook, [(failed.cell, 1, text)])


def _refuse(notebook: Notebook, problems: Sequence[tuple[int, int, str]]) -> None:
    if problems:
        lines = [f"cell {cell}, line {line}: {text}." for cell, line, text in sorted(problems)]
        raise PenstockError(
            what=f"{notebook.path.name} cannot be promoted: " + " ".join(lines),
            why="The pipeline would compute something else than the notebook, or nothing.",
            fix="Repair these cells, restart the kernel, run all cells, and promote again.",
            cells=sorted({cell for cell, _, _ in problems}),
        )


@contextmanager
def _tried(
    notebook: Notebook, plan: Plan, parts: NotebookParts, recording: Recording
) -> Iterator[tuple[Path, Plan]]:
    """Write a pipeline to a folder for a trial."""
    with tempfile.TemporaryDirectory(prefix="penstock-promote-") as name:
        folder = Path(name)
        trial = replace(plan, notebook=os.path.relpath(notebook.path.resolve(), folder.resolve()))
        text = Renderer(trial, parts, recording, folder).module()
        (folder / f"{plan.pipeline}.py").write_text(text, encoding="utf-8")
        yield folder, trial


def _run(folder: Path, plan: Plan) -> tuple[Digests, PipelineFailedError | None]:
    """Run a trial; return its digests, or the error of the step that failed."""
    try:
        return run_promoted(folder, plan), None
    except PipelineFailedError as error:
        if error.step is None:
            raise
        return {}, error


def _wider(plan: Plan, step: str) -> Plan | None:
    """Return a plan with a step joined to the step before, or to the next for the first; None if alone."""
    steps = list(plan.steps)
    place = next(number for number, each in enumerate(steps) if each.name == step)
    if len(steps) == 1:
        return None
    first = max(place - 1, 0)
    steps[first : first + 2] = [joined(steps[first], steps[first + 1])]
    return replace(plan, steps=tuple(steps))


def _cannot_divide(plan: Plan, connected: Plan) -> PenstockError:
    names = {step.name for step in connected.steps}
    lost = [step.name for step in plan.steps if step.name not in names]
    return PenstockError(
        what=f"The plan divides what must be one step: {', '.join(lost)}.",
        why="A function, an open file or an object of the notebook's own class cannot pass between steps, "
        "and a file must be read where it is written.",
        fix="Join these cells with the step before in plan.toml, or delete it to get a new plan.",
    )


def _not_equal(
    notebook: Notebook,
    plan: Plan,
    failed: PipelineFailedError | None,
    differing: Sequence[PromotionDifference],
) -> PenstockError:
    what = (
        f"step {failed.step} fails: {failed.error}"
        if failed
        else "these outputs differ: " + ", ".join(f"{d.step}.{d.output}" for d in differing[:5])
    )
    return PenstockError(
        what=f"{notebook.path.name} cannot be promoted: as a pipeline of {len(plan.steps)} steps, {what}.",
        why="A pipeline that computes something else than the notebook is worse than none.",
        fix="Look for state that the cells share without a name: settings, open files, caches.",
    )


def _write(folder: Path, texts: Mapping[str, str], *, overwrite: bool) -> list[Path]:
    """Write all files or none; a file changed by hand is kept unless told otherwise."""
    edited = [
        name
        for name, text in texts.items()
        if name not in {"plan.toml", "golden.json"}
        and (folder / name).is_file()
        and (folder / name).read_text(encoding="utf-8") != text
    ]
    if edited and not overwrite:
        raise ConflictError(
            what=f"{', '.join(edited)} in {folder} would be replaced.",
            why="The files are not what the promotion would write; they may be edited.",
            fix="Promote to another folder, or pass --overwrite.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".penstock-") as place:
        for name, text in texts.items():
            (Path(place) / name).write_text(text, encoding="utf-8")
        for name in texts:
            shutil.move(Path(place) / name, folder / name)
    return [folder / name for name in texts]
