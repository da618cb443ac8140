"""The pipeline's file: the table's notes as code with reasons."""

from collections.abc import Sequence
from typing import Any

from penstock.scaffolding._expected import ExpectedRows
from penstock.scaffolding._layout import LINE, Bracketed, BracketElement, lay_out
from penstock.scaffolding._model_choice import ModelChoice
from penstock.scaffolding._names import ProjectNames
from penstock.scaffolding._notes import ColumnNote, TableNotes
from penstock.scaffolding._recipes import Recipe, choose_recipe, write_gates
from penstock.scaffolding._source import ProjectSource
from penstock.scaffolding._writing import fill, plain, quote, wrap, write_list, write_tuple
from penstock.tables import find_positive

# A longer list would be skipped, not read.
_LISTED = 40
_WATCHED = 6


def render_pipeline(
    notes: TableNotes,
    names: ProjectNames,
    source: ProjectSource,
    expected: ExpectedRows,
    *,
    model: ModelChoice = "auto",
) -> str:
    """Write the pipeline's file."""
    recipe = choose_recipe(notes, model)
    return fill(
        "pipeline.py.jinja",
        names=names,
        target=plain(notes.target),
        file=plain(source.label),
        imports=_imports(notes, recipe, source),
        remarks=_remarks(notes),
        source=lay_out(source.code(names.folder), before="table = "),
        expected=lay_out(expected.code(), before="EXPECTED = "),
        left_out=_left_out(notes),
        watched=_watched(notes),
        clean=_clean(notes),
        train=_train(recipe),
        body=_body(notes, names, recipe),
    )


def _imports(notes: TableNotes, recipe: Recipe, source: ProjectSource) -> str:
    head = ["from datetime import date\n"] if notes.time is not None else []
    lines = [
        "import penstock as ps",
        *(["import polars as pl"] if notes.rare else []),
    ]
    imports = [source.import_line] if source.import_line else []
    parts = [*imports, *recipe.imports, "from sklearn.pipeline import Pipeline, make_pipeline"]
    return "\n".join([*head, *lines, *sorted(parts, key=str.casefold)])


def _remarks(notes: TableNotes) -> list[str]:
    remarks = [f"{notes.rows:,} rows, {len(notes.columns):,} columns. {notes.target_says}"]
    if notes.time is not None:
        when = f"{' + '.join(notes.time.columns)} ({notes.time.form})"
        remarks.append(f"Time: {when}, {notes.time.first} to {notes.time.last}.")
        if notes.time.doubt:
            remarks.append(
                f"The times could also be written {notes.time.doubt}: check time_format."
            )
    remarks += notes.warnings
    return [line for text in remarks for line in wrap(plain(text), LINE - 2)]


def _left_out(notes: TableNotes) -> str:
    if not notes.left_out:
        return ""
    if len(notes.left_out) <= _LISTED:
        items = [BracketElement(quote(n.column), comment=_comment(n)) for n in notes.left_out]
        return lay_out(Bracketed("LEFT_OUT = [", items, "]"))
    # Constant and empty columns tell least, and move to a compact list.
    notes_shown, others = _most_telling(notes.left_out)
    items = [BracketElement(quote(n.column), comment=_comment(n)) for n in notes_shown]
    counts = {
        kind: sum(n.kind == kind for n in others) for kind in dict.fromkeys(n.kind for n in others)
    }
    summary = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    rest = lay_out(
        Bracketed("LEFT_OUT += [", [BracketElement(quote(n.column)) for n in others], "]")
    )
    head = lay_out(Bracketed("LEFT_OUT = [", items, "]")) if items else "LEFT_OUT = []"
    return f"{head}\n# And {summary}.\n{rest}"


def _most_telling(notes: Sequence[ColumnNote]) -> tuple[list[ColumnNote], list[ColumnNote]]:
    telling = [note for note in notes if note.kind not in {"constant", "empty"}][:_LISTED]
    return telling, [note for note in notes if note not in telling]


def _comment(note: ColumnNote) -> str:
    return plain(
        f"{note.kind}: {note.reason}" if note.kind in {"suspect", "identifier"} else note.reason
    )


def _watched(notes: TableNotes) -> list[str]:
    sentences = [f"{note.column}: {note.reason}" for note in notes.watched[:_WATCHED]]
    more = len(notes.watched) - _WATCHED
    sentences += [f"and {more} more columns like these"] if more > 0 else []
    return [plain(line) for line in sentences]


def _clean(notes: TableNotes) -> str:
    """Write the body of the step that removes rows; each removal is counted on the Snapshot."""
    lines = []
    if notes.split.distinct:
        lines.append("    # Copies of a row must not stand in train and test: the first is kept.")
        lines.append('    distinct = rows.table.unique(keep="first", maintain_order=True)')
        lines.append(f'    {"rows =" if notes.rare else "return"} rows.keep(distinct, "copies")')
    if notes.rare:
        lines.append("    # Classes with fewer than 10 rows can neither be learned nor tested.")
        lines.append(lay_out(write_list(notes.rare), indent=1, before="rare = "))
        test = f"~pl.col({quote(notes.target)}).is_in(rare).fill_null(value=False)"
        others = Bracketed("rows.table.filter(", [BracketElement(test)], ")")
        lines.append(lay_out(others, indent=1, before="others = "))
        lines.append('    return rows.keep(others, "classes with fewer than 10 rows")')
    return "\n".join(lines)


def _train(recipe: Recipe) -> dict[str, str]:
    arguments = [BracketElement(argument) for argument in recipe.arguments]
    estimator = Bracketed(f"{recipe.estimator}(", arguments, ")")
    if recipe.wrapper:
        estimator = Bracketed(f"{recipe.wrapper}(", [BracketElement("", estimator)], ")")
    model = [BracketElement("columns"), BracketElement("", estimator)]
    head = [BracketElement("split: ps.Split"), BracketElement(f"{recipe.parameter}: float")]
    return {
        "head": lay_out(Bracketed("def train(", head, ")"), after=" -> Pipeline:"),
        "scale": (", scale=True" if recipe.scale else "")
        + (', high_cardinality="keep"' if recipe.has_embeddings else ""),
        "model": lay_out(Bracketed("make_pipeline(", model, ")"), indent=1, before="model = "),
        "parameter": recipe.parameter,
    }


def _body(notes: TableNotes, names: ProjectNames, recipe: Recipe) -> dict[str, Any]:
    window = (
        [] if notes.time is None else ["since: date | None = None", "cutoff: date | None = None"]
    )
    head = [
        BracketElement(text) for text in (*window, f"{recipe.parameter}: float = {recipe.default}")
    ]
    evaluate = [BracketElement("model"), BracketElement("split")]
    if notes.slices:
        evaluate.append(BracketElement("slices=", write_list(notes.slices)))
    if notes.positive is not None:
        labels = [label for label, _ in notes.classes]
        why = (
            ""
            if find_positive(labels) is not None
            else "the rarer class: change it if the other one counts"
        )
        evaluate.append(BracketElement(f"positive={quote(notes.positive)}", comment=why))
    gates = Bracketed(
        "[", [BracketElement(quote(g.text), comment=g.reason) for g in write_gates(notes)], "]"
    )
    register = [
        BracketElement(quote(names.model)),
        BracketElement("model"),
        BracketElement("report"),
        BracketElement("gates=", gates),
    ]
    return {
        "head": lay_out(Bracketed(f"def {names.module}(", head, ")"), after=" -> ps.ModelVersion:"),
        "ingest": lay_out(_ingest_call(notes), indent=1, before="rows = "),
        "split": lay_out(_split_call(notes), indent=1, before="split = "),
        "fairness": _fairness(notes),
        "evaluate": lay_out(
            Bracketed("ps.steps.evaluate(", evaluate, ")"), indent=1, before="report = "
        ),
        "register": lay_out(
            Bracketed("ps.steps.register(", register, ")"), indent=1, before="return "
        ),
    }


def _ingest_call(notes: TableNotes) -> Bracketed:
    window = [] if notes.time is None else ["since=since", "cutoff=cutoff"]
    items = [BracketElement(text) for text in ("table", *window, "expect=EXPECTED")]
    return Bracketed("ps.steps.ingest(", items, ")")


def _split_call(notes: TableNotes) -> Bracketed:
    choice = notes.split
    items = [
        BracketElement("clean(rows)" if notes.needs_cleaning else "rows"),
        BracketElement(f"target={quote(notes.target)}"),
    ]
    if isinstance(choice.by_time, tuple):
        items.append(BracketElement("by_time=", write_tuple(choice.by_time)))
    elif choice.by_time:
        items.append(BracketElement(f"by_time={quote(choice.by_time)}"))
    if choice.by_group:
        items.append(BracketElement(f"by_group={quote(choice.by_group)}"))
    if choice.task:
        items.append(BracketElement(f'task="{choice.task}"'))
    items.append(BracketElement("test=0.2"))
    if notes.left_out:
        items.append(BracketElement("drop=LEFT_OUT"))
    if choice.seed:
        items.append(BracketElement(f"seed={choice.seed}"))
    return Bracketed("ps.steps.split(", items, ")")


def _fairness(notes: TableNotes) -> list[str]:
    if not notes.sensitive:
        return []
    people = ", ".join(notes.sensitive)
    metric = {"binary": "recall", "multiclass": "accuracy", "regression": "mae"}[notes.task]
    comment = wrap(
        f"About people: {people}. The report shows how fair the model is to each.", LINE - 6
    )
    gate = f'"ratio({metric}, {notes.sensitive[0]}) >= 0.8"'
    return [plain(line) for line in (*comment, f"To demand it, add the gate {gate}.")]
