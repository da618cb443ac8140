"""``%load_ext penstock``: immediate warnings of hidden state, the order of cells on the run, rich displays."""

import html
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.core import NotFoundError
from penstock.notebooks._document import read_notebook
from penstock.notebooks._recorded_order import RecordedOrder
from penstock.notebooks._watcher import CellWatcher
from penstock.tracking import active_run

_UNBOUND = object()


class NotebookExtension:
    """The extension in a shell.

    Args:
        shell: IPython's shell.
    """

    def __init__(self, shell: Any) -> None:  # Any: IPython's, which is optional
        self._shell = shell
        self.watcher = CellWatcher(self._texts)
        self._started = 0.0
        self._order = RecordedOrder()
        self._values: dict[str, object] = {}  # of the names that the running cell binds, before

    def load(self) -> None:
        """Register events, the magic and the displays."""
        self._shell.events.register("pre_run_cell", self._before)
        self._shell.events.register("post_run_cell", self._after)
        self._shell.register_magic_function(self._magic, "line", "penstock")
        formatter = self._shell.display_formatter.formatters["text/html"]
        for (module, name), show in _DISPLAYS.items():
            formatter.for_type_by_name(module, name, show)

    def unload(self) -> None:
        """Take the events away."""
        self._shell.events.unregister("pre_run_cell", self._before)
        self._shell.events.unregister("post_run_cell", self._after)

    def _before(self, info: Any) -> None:
        self._started = time.perf_counter()
        for warning in self.watcher.begin(info.raw_cell or "", getattr(info, "cell_id", "") or ""):
            print(f"penstock: {warning}", file=sys.stderr)  # noqa: T201 - shown below the cell
        names, values = self.watcher.executions[-1].flow.writes, self._shell.user_ns
        self._values = {name: values.get(name, _UNBOUND) for name in names}

    def _after(self, result: Any) -> None:
        if not self.watcher.executions:  # the cell that loaded the extension
            return
        seconds, ok, values = (
            time.perf_counter() - self._started,
            bool(result.success),
            self._values,
        )
        unbound = [
            name
            for name, value in values.items()
            if not ok and self._shell.user_ns.get(name, _UNBOUND) is value
        ]
        self._values = {}  # a large value of before may go
        self.watcher.end(seconds, ok=ok, unbound=unbound)
        run = active_run()
        if run is not None:
            self._order.log(run, self.watcher.executions)

    def _texts(self, cell_id: str) -> list[str] | None:
        """Return the texts of the cells with an id in the notebook's file; None if no front end names it."""
        named = self._shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
        try:
            cells = read_notebook(str(named)).cells if named else []
        except NotFoundError:
            return None
        return [cell.source for cell in cells if cell.cell_id == cell_id] or None

    def _magic(self, line: str) -> None:
        """Show the order in which the cells ran."""
        del line  # the magic has no arguments
        for each in self.watcher.executions:
            first = next(iter(each.source.strip().splitlines()), "")
            mark = "" if each.ok else "  failed"
            print(f"[{each.number}] {each.seconds:8.3f} s  {first[:70]}{mark}")  # noqa: T201 - a magic prints


def load_extension(shell: object) -> NotebookExtension:
    """Load the extension into IPython's shell; a second call changes nothing."""
    live: Any = shell
    loaded = getattr(live, "_penstock", None)
    if isinstance(loaded, NotebookExtension):
        return loaded
    extension = NotebookExtension(live)
    extension.load()
    live._penstock = extension  # noqa: SLF001 - the extension's own place in the shell
    return extension


def unload_extension(shell: object) -> None:
    """Unload the extension."""
    live: Any = shell
    loaded = getattr(live, "_penstock", None)
    if isinstance(loaded, NotebookExtension):
        loaded.unload()
        del live._penstock  # noqa: SLF001 - see above


def _table(title: str, rows: Sequence[Sequence[object]]) -> str:
    body = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:left'>{_text(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<div><b>{_text(title)}</b><table>{body}</table></div>"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return html.escape(str(value))


def _run_html(run: Any) -> str:
    rows: list[Sequence[object]] = [["run", run.run_id], ["experiment", run.experiment]]
    rows += [["parameter", name, value] for name, value in run.params.items()]
    rows += [["metric", name, value] for name, value in run.metrics.items()]
    return _table(f"{run.shown_name}: {run.state}", rows)


def _result_html(result: Any) -> str:
    rows = [
        [step.step, step.state, f"{step.seconds:.3f} s", step.error or ", ".join(step.outputs)]
        for step in result.steps
    ]
    version = f" → {result.model_version}" if result.model_version else ""
    return _table(f"{result.name} {result.run_id}: {result.state}{version}", rows)


def _version_html(version: Any) -> str:
    rows: list[Sequence[object]] = [["stage", version.stage]]
    metrics: Mapping[str, Any] = getattr(version, "metrics", {}) or {}
    rows += [["metric", name, value] for name, value in metrics.items()]
    gates = getattr(version, "gates", ()) or ()
    rows += [[gate.gate, gate.state, gate.reason] for gate in gates]
    return _table(f"{version.model}@{version.version}", rows)


def _drift_html(report: Any) -> str:
    rows = [["rows", report.rows], *(["finding", finding] for finding in report.findings)]
    state = "drifted" if report.drifted else "no drift"
    return _table(f"{report.deployment} ({report.model}@{report.version}): {state}", rows)


_DISPLAYS: dict[tuple[str, str], Callable[[Any], str]] = {
    ("penstock.tracking._run", "Run"): _run_html,
    ("penstock.execution.engine._result", "PipelineResult"): _result_html,
    ("penstock.registry._model_version", "ModelVersion"): _version_html,
    ("penstock.core.records._models", "ModelVersionRecord"): _version_html,
    ("penstock.monitoring._report", "DriftReport"): _drift_html,
}
