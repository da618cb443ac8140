"""Write the files of a new project from what was noticed about the table."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.scaffolding._layout import LINE, Bracketed, Item, lay_out
from penstock.scaffolding._names import ProjectNames
from penstock.scaffolding._notes import ColumnNote, Label, TableNotes
from penstock.scaffolding._recipes import Recipe, choose_recipe, write_gates

if TYPE_CHECKING:
    import polars as pl

_TEMPLATES = Path(__file__).parent / "templates"
# More lines than this are a list to skip, not to read.
_LISTED = 40
_WATCHED = 6
_MAX_REQUEST = 25


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How the table's file is read.

    Attributes:
        path: As the pipeline writes it.
        columns: Names, if the file has no header.
        has_header: Whether the first line holds names.
    """

    path: str
    columns: tuple[str, ...] | None = None
    has_header: bool = True


def quote(value: Label) -> str:
    """Write a value as ``ruff format`` would.

    >>> print(quote("it's"), quote('say "x"'), quote(3))
    "it's" 'say "x"' 3
    """
    if not isinstance(value, str):
        return repr(value)
    inner = repr(value + "'\"")[1:-4].replace("\\'", "'")
    if value.count('"') > value.count("'"):
        return "'" + inner.replace("'", "\\'") + "'"
    return '"' + inner.replace('"', '\\"') + '"'


def render_pipeline(notes: TableNotes, names: ProjectNames, source: SourceOptions) -> str:
    """Write the pipeline's file."""
    recipe = choose_recipe(notes)
    return _fill(
        "pipeline.py.jinja",
        names=names,
        target=_plain(notes.target),
        file=Path(source.path).name,
        imports=_imports(notes, recipe),
        remarks=_remarks(notes),
        source=_source(notes, source),
        left_out=_left_out(notes),
        watched=_watched(notes),
        clean=_clean(notes),
        train=_train(recipe),
        body=_body(notes, names, recipe),
    )


def render_test(notes: TableNotes, names: ProjectNames, *, every: int) -> str:
    """Write the test file.

    Args:
        notes: What was noticed.
        names: What the project is called.
        every: Which rows are few, yet enough: every n-th.
    """
    recipe, cleaned = choose_recipe(notes), bool(_clean(notes))
    used = [*(["LEFT_OUT"] if notes.left_out else []), *(["clean"] if cleaned else [])]
    used += [names.module, "table", "train"]
    few = f"table.read(){f'.gather_every({every})' if every > 1 else ''}"
    split = [Item("clean(rows)" if cleaned else "rows"), Item(f"target={quote(notes.target)}")]
    split += [Item("drop=LEFT_OUT")] if notes.left_out else []
    split += [Item(f'task="{notes.split.task}"')] if notes.split.task else []
    split += [Item(f"seed={notes.split.seed}")] if notes.split.seed else []
    steps = ["ingest", *(["clean"] if cleaned else []), "split", "train", "evaluate", "register"]
    imported = ", ".join(sorted(used, key=lambda name: (not name.isupper(), name)))
    return _fill(
        "test.py.jinja",
        names=names,
        imports=f"from {names.module} import {imported}",
        steps=json.dumps(steps),
        few=few,
        split=lay_out(Bracketed("split_table(", split, ")"), indent=1, before="split = "),
        parameter=recipe.test_value,
    )


def render_readme(
    notes: TableNotes, names: ProjectNames, source: SourceOptions, table: "pl.DataFrame"
) -> str:
    """Write the README with the next commands."""
    commands = _next_commands(notes, names)
    return _fill(
        "README.md.jinja",
        names=names,
        target=_plain(notes.target),
        file=Path(source.path).name,
        folder=names.folder.name,
        commands=commands,
        width=max(len(command) for command, _ in commands),
        request=_request(notes, table),
    )


def _next_commands(notes: TableNotes, names: ProjectNames) -> list[tuple[str, str]]:
    timed = f" (--cutoff {notes.time.last} leaves newer rows out)" if notes.time else ""
    return [
        (f"penstock run {names.module}.py", f"trains, judges and registers a model{timed}"),
        ("penstock ui", "runs, models and figures in the browser"),
        (f"penstock promote {names.model}", "runs what gates still need, then lets it in"),
        (f"penstock serve {names.model}", "answers over HTTP"),
        ("penstock verify RUN", "runs it again and compares every result, bit for bit"),
        ("pytest", "the steps are plain functions"),
    ]


def _fill(template: str, **values: Any) -> str:
    import jinja2

    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(  # noqa: S701 - Python and Markdown, not HTML
        loader=loader,
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)


def _imports(notes: TableNotes, recipe: Recipe) -> str:
    head = ["from datetime import date\n"] if notes.time is not None else []
    lines = [
        "import penstock as ps",
        *(["import polars as pl"] if notes.rare or notes.split.distinct else []),
    ]
    return "\n".join(
        [*head, *lines, recipe.import_line, "from sklearn.pipeline import Pipeline, make_pipeline"]
    )


def _remarks(notes: TableNotes) -> list[str]:
    told = [f"{notes.rows:,} rows, {len(notes.columns):,} columns. {notes.target_says}"]
    if notes.time is not None:
        when = f"{' + '.join(notes.time.columns)} ({notes.time.form})"
        told.append(f"Time: {when}, {notes.time.first} to {notes.time.last}.")
        if notes.time.doubt:
            told.append(f"The times could also be written {notes.time.doubt}: check time_format.")
    told += notes.warnings
    return [line for text in told for line in _wrap(_plain(text), LINE - 2)]


def _source(notes: TableNotes, source: SourceOptions) -> str:
    items = [Item(quote(source.path))]
    if notes.time is not None:
        time = notes.time.columns
        items.append(
            Item("time=", _tuple(time)) if len(time) > 1 else Item(f"time={quote(time[0])}")
        )
        if notes.time.time_format:
            items.append(Item(f"time_format={quote(notes.time.time_format)}"))
    if source.columns is not None:
        items.append(Item("columns=", _list(source.columns)))
    elif not source.has_header:
        items.append(Item("has_header=False"))
    return lay_out(Bracketed("ps.FileSource(", items, ")"), before="table = ")


def _left_out(notes: TableNotes) -> str:
    if not notes.left_out:
        return ""
    if len(notes.left_out) <= _LISTED:
        items = [Item(quote(n.column), comment=_comment(n)) for n in notes.left_out]
        return lay_out(Bracketed("LEFT_OUT = [", items, "]"))
    told, others = _most_telling(notes.left_out)
    items = [Item(quote(n.column), comment=_comment(n)) for n in told]
    counts = {
        kind: sum(n.kind == kind for n in others) for kind in dict.fromkeys(n.kind for n in others)
    }
    summary = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    rest = lay_out(Bracketed("LEFT_OUT += [", [Item(quote(n.column)) for n in others], "]"))
    head = lay_out(Bracketed("LEFT_OUT = [", items, "]")) if items else "LEFT_OUT = []"
    return f"{head}\n# And {summary}.\n{rest}"


def _most_telling(notes: Sequence[ColumnNote]) -> tuple[list[ColumnNote], list[ColumnNote]]:
    telling = [note for note in notes if note.kind not in {"constant", "empty"}][:_LISTED]
    return telling, [note for note in notes if note not in telling]


def _comment(note: ColumnNote) -> str:
    return _plain(
        f"{note.kind}: {note.reason}" if note.kind in {"suspect", "identifier"} else note.reason
    )


def _watched(notes: TableNotes) -> list[str]:
    told = [f"{note.column}: {note.reason}" for note in notes.watched[:_WATCHED]]
    more = len(notes.watched) - _WATCHED
    told += [f"and {more} more columns like these"] if more > 0 else []
    return [_plain(line) for line in told]


def _clean(notes: TableNotes) -> dict[str, Any] | None:
    if not notes.rare and not notes.split.distinct:
        return None
    remarks, code = [], "rows"
    if notes.split.distinct:
        remarks.append("Copies of a row must not stand in train and test: the first is kept.")
        subset = "pl.exclude(LEFT_OUT)" if notes.left_out else "pl.all()"
        code += f'.unique({subset}, keep="first", maintain_order=True)'
    lines = []
    if notes.rare:
        remarks.append("Classes with fewer than 10 rows can neither be learned nor tested.")
        lines.append(lay_out(_list(notes.rare), indent=1, before="rare = "))
        code += f".filter(~pl.col({quote(notes.target)}).is_in(rare))"
    if len(code) > LINE - 11:
        code = code.replace(").filter(", ")\n    rows = rows.filter(")
    return {"remarks": remarks, "code": "\n".join([*lines, f"    return {code}"])}


def _train(recipe: Recipe) -> dict[str, str]:
    model = [
        Item("columns"),
        Item("", Bracketed(f"{recipe.estimator}(", [Item(a) for a in recipe.arguments], ")")),
    ]
    head = [Item("split: ps.Split"), Item(f"{recipe.parameter}: float")]
    return {
        "head": lay_out(Bracketed("def train(", head, ")"), after=" -> Pipeline:"),
        "scale": ", scale=True" if recipe.scale else "",
        "model": lay_out(Bracketed("make_pipeline(", model, ")"), indent=1, before="model = "),
        "parameter": recipe.parameter,
    }


def _body(notes: TableNotes, names: ProjectNames, recipe: Recipe) -> dict[str, Any]:
    window = (
        [] if notes.time is None else ["since: date | None = None", "cutoff: date | None = None"]
    )
    head = [Item(text) for text in (*window, f"{recipe.parameter}: float = {recipe.default}")]
    evaluate = [Item("model"), Item("split")]
    if notes.slices:
        evaluate.append(Item("slices=", _list(notes.slices)))
    if notes.positive is not None:
        evaluate.append(Item(f"positive={quote(notes.positive)}"))
    gates = Bracketed("[", [Item(quote(g.text), comment=g.reason) for g in write_gates(notes)], "]")
    register = [Item(quote(names.model)), Item("model"), Item("report"), Item("gates=", gates)]
    return {
        "head": lay_out(Bracketed(f"def {names.module}(", head, ")"), after=" -> ps.ModelVersion:"),
        "window": "" if notes.time is None else ", since=since, cutoff=cutoff",
        "split": lay_out(_split_call(notes), indent=1, before="split = "),
        "fairness": _fairness(notes),
        "evaluate": lay_out(
            Bracketed("ps.steps.evaluate(", evaluate, ")"), indent=1, before="report = "
        ),
        "register": lay_out(
            Bracketed("ps.steps.register(", register, ")"), indent=1, before="return "
        ),
    }


def _split_call(notes: TableNotes) -> Bracketed:
    choice = notes.split
    items = [
        Item("clean(rows)" if _clean(notes) else "rows"),
        Item(f"target={quote(notes.target)}"),
    ]
    if isinstance(choice.by_time, tuple):
        items.append(Item("by_time=", _tuple(choice.by_time)))
    elif choice.by_time:
        items.append(Item(f"by_time={quote(choice.by_time)}"))
    if choice.by_group:
        items.append(Item(f"by_group={quote(choice.by_group)}"))
    if choice.task:
        items.append(Item(f'task="{choice.task}"'))
    items.append(Item("test=0.2"))
    if notes.left_out:
        items.append(Item("drop=LEFT_OUT"))
    if choice.seed:
        items.append(Item(f"seed={choice.seed}"))
    return Bracketed("ps.steps.split(", items, ")")


def _fairness(notes: TableNotes) -> list[str]:
    if not notes.sensitive:
        return []
    people = ", ".join(notes.sensitive)
    metric = {"binary": "recall", "multiclass": "accuracy", "regression": "mae"}[notes.task]
    text = (
        f"About people: {people}. The report shows how fair the model is to each; a gate such as "
        f'"gap({metric}, {notes.sensitive[0]}) <= 0.1" would demand it.'
    )
    return _wrap(_plain(text), LINE - 6)


def _request(notes: TableNotes, table: "pl.DataFrame") -> str:
    if len(notes.features) > _MAX_REQUEST:
        return ""
    row = {name: _typical(table[name]) for name in notes.features}
    text = json.dumps({"rows": [row]}, ensure_ascii=False, default=_plain_value)
    return text.replace("'", "'\\''")


def _plain_value(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _typical(series: "pl.Series") -> Any:
    given = series.drop_nulls()
    if not len(given):
        return None
    if given.dtype.is_temporal():
        return given.max()
    return given.sort()[len(given) // 2] if given.dtype.is_numeric() else given.mode().sort()[0]


def _list(values: Sequence[Label]) -> Bracketed:
    return Bracketed("[", [Item(quote(value)) for value in values], "]")


def _tuple(values: Sequence[Label]) -> Bracketed:
    return Bracketed("(", [Item(quote(value)) for value in values], ")")


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _plain(text: str) -> str:
    """Make text safe for a comment or docstring: one line, no quotes that end it."""
    line = " ".join(text.split())
    return (
        "".join(c if c.isprintable() else "?" for c in line)
        .replace('"""', "'''")
        .replace("\\", "/")
    )
