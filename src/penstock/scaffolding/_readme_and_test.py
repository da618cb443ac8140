"""The files beside the pipeline: a test of the steps and a README with the next commands."""

import json
from typing import TYPE_CHECKING, Any

from penstock.scaffolding._layout import Bracketed, BracketElement, lay_out
from penstock.scaffolding._model_choice import ModelChoice
from penstock.scaffolding._names import ProjectNames
from penstock.scaffolding._notes import TableNotes
from penstock.scaffolding._recipes import choose_recipe
from penstock.scaffolding._writing import fill, plain, quote

if TYPE_CHECKING:
    import polars as pl

_MAX_REQUEST = 25


def render_test(
    notes: TableNotes,
    names: ProjectNames,
    *,
    every: int,
    can_read: bool = True,
    model: ModelChoice = "auto",
) -> str:
    """Write the test file.

    Args:
        notes: The table's notes.
        names: The project's names.
        every: Interval of a small, yet sufficient sample: every n-th row.
        can_read: Whether the source has a method that returns rows.
        model: The kind of model.
    """
    recipe, cleaned = choose_recipe(notes, model), notes.needs_cleaning
    used = [*(["LEFT_OUT"] if notes.left_out else []), *(["clean"] if cleaned else [])]
    used += [names.module, "table", "train"]
    rows = "table.read()" if can_read else "ingest(table).table"
    few = f"{rows}{f'.gather_every({every})' if every > 1 else ''}"
    few = f"Snapshot.of({few})" if cleaned else few
    split = [
        BracketElement("clean(rows)" if cleaned else "rows"),
        BracketElement(f"target={quote(notes.target)}"),
    ]
    split += [BracketElement("drop=LEFT_OUT")] if notes.left_out else []
    split += [BracketElement(f'task="{notes.split.task}"')] if notes.split.task else []
    split += [BracketElement(f"seed={notes.split.seed}")] if notes.split.seed else []
    steps = ["ingest", *(["clean"] if cleaned else []), "split", "train", "evaluate", "register"]
    imported = ", ".join(sorted(used, key=lambda name: (not name.isupper(), name)))
    return fill(
        "test.py.jinja",
        names=names,
        imports=f"from {names.module} import {imported}",
        steps=json.dumps(steps),
        few=few,
        helpers=", ".join(
            [*(["Snapshot"] if cleaned else []), *([] if can_read else ["ingest"]), "split_table"]
        ),
        split=lay_out(Bracketed("split_table(", split, ")"), indent=1, before="split = "),
        parameter=recipe.test_value,
    )


def render_readme(notes: TableNotes, names: ProjectNames, file: str, table: "pl.DataFrame") -> str:
    """Write the README with the next commands."""
    commands = _next_commands(notes, names)
    return fill(
        "README.md.jinja",
        names=names,
        target=plain(notes.target),
        file=file,
        folder=names.folder.name,
        commands=commands,
        width=max(len(command) for command, _ in commands),
        request=_request(notes, table),
    )


def _next_commands(notes: TableNotes, names: ProjectNames) -> list[tuple[str, str]]:
    timed = f" (--cutoff {notes.time.last} excludes newer rows)" if notes.time else ""
    return [
        (f"penstock run {names.module}.py", f"train, evaluate and register a model{timed}"),
        ("penstock ui", "web UI: runs, models and figures"),
        (
            f"penstock promote {names.model}",
            "executes pending proofs, judges the gates and promotes",
        ),
        (f"penstock serve {names.model}", "serve predictions over HTTP"),
        ("penstock verify RUN", "execute the run again and compare every output bit for bit"),
        ("pytest", "test the steps: they are plain functions"),
    ]


def _request(notes: TableNotes, table: "pl.DataFrame") -> str:
    if len(notes.features) > _MAX_REQUEST:
        return ""
    row = {name: _typical(table[name]) for name in notes.features}
    text = json.dumps({"rows": [row]}, ensure_ascii=False, default=_plain_value)
    return text.replace("'", "'\\''")


def _plain_value(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _typical(series: "pl.Series") -> Any:
    import polars as pl

    if series.dtype.is_numeric() and not series.dtype.is_integer():
        series = series.cast(pl.Float64).fill_nan(None)  # JSON has neither decimals nor NaN
    values = series.drop_nulls()
    if not len(values):
        return None
    if values.dtype.is_temporal():
        return values.max()
    return values.sort()[len(values) // 2] if values.dtype.is_numeric() else values.mode().sort()[0]
