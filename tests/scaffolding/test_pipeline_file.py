"""The pipeline's file is short, tells the reasons, and survives odd names."""

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from penstock.data import FileSource
from penstock.scaffolding._expected import ExpectedRows
from penstock.scaffolding._names import ProjectNames
from penstock.scaffolding._notes import ColumnNote, TableNotes, TimeNote
from penstock.scaffolding._pipeline_file import render_pipeline
from penstock.scaffolding._source import ProjectSource
from penstock.scaffolding._splits import SplitChoice
from penstock.scaffolding._times import TimeForm

SOURCE = ProjectSource(FileSource(Path("shop.csv").absolute()))
NAMES = ProjectNames(Path("shop"), "shop", "shop")


def _notes(**changes) -> TableNotes:
    facts = {
        "rows": 5_000,
        "columns": ("a", "b", "y"),
        "target": "y",
        "task": "regression",
        "target_says": "y has 900 different numbers: regression.",
        "split": SplitChoice("y"),
    }
    return TableNotes(**{**facts, **changes})


def _render(**changes) -> str:
    notes = _notes(**changes)
    time = notes.time
    form = TimeForm(time.columns, time.form, time.time_format) if time else None
    return render_pipeline(notes, NAMES, SOURCE.with_time(form), ExpectedRows())


def test_a_plain_table_gives_a_short_file():
    code = _render()
    assert len(code.splitlines()) < 45
    assert "LEFT_OUT" not in code
    assert "clean" not in code
    assert "since" not in code


def test_reasons_stand_behind_the_columns():
    code = _render(left_out=(ColumnNote("id", "identifier", "a running number, 1 to 9"),))
    assert '    "id",  # identifier: a running number, 1 to 9\n' in code
    assert "drop=LEFT_OUT" in code


def test_times_become_parameters():
    note = TimeNote(("day",), "ISO dates", None, "2020-01-01", "2021-12-31")
    code = _render(time=note, split=SplitChoice("y", "day"))
    assert "since: date | None = None, cutoff: date | None = None" in code
    assert "ps.steps.ingest(table, since=since, cutoff=cutoff, expect=EXPECTED)" in code
    assert 'by_time="day"' in code


def test_a_doubtful_time_format_is_told():
    note = TimeNote(("day",), "dates", "%m/%d/%Y", "2020-01-01", "2021-12-31", doubt="%d/%m/%Y")
    code = _render(time=note, split=SplitChoice("y", "day"))
    assert 'time_format="%m/%d/%Y"' in code
    assert "could also be written %d/%m/%Y" in code


def test_expectations_say_which_rows_stop_a_run_and_which_are_warned_of():
    expected = ExpectedRows(unique=("id",), not_null=("id", "y"), warned=("a",))
    code = render_pipeline(_notes(), NAMES, SOURCE, expected)
    assert 'ps.Expectations(unique=["id"], not_null=["id", "y"]),' in code
    assert 'ps.Expectations(not_null=["a"], on_failure="warn"),' in code
    assert '"learned",  # like the readings before' in code
    assert "ps.steps.ingest(table, expect=EXPECTED)" in code


def test_rare_classes_and_copies_get_a_step_of_their_own():
    code = _render(
        task="multiclass",
        classes=(("a", 3000), ("b", 1990), ("c", 2)),
        rare=("c",),
        split=SplitChoice("y", distinct=True),
    )
    assert "def clean(rows: ps.Snapshot) -> ps.Snapshot:" in code
    assert 'rare = ["c"]' in code
    assert 'keep="first", maintain_order=True' in code
    assert '    rows = rows.keep(distinct, "copies")' in code
    assert '~pl.col("y").is_in(rare).fill_null(value=False)' in code
    assert "ps.steps.split(clean(rows)" in code.replace("\n        ", "")


def test_people_come_with_a_word_on_fairness():
    code = _render(slices=("sex", "city"), sensitive=("sex",))
    assert 'slices=["sex", "city"]' in code
    assert '"ratio(mae, sex) >= 0.8"' in code


def test_a_hundred_left_out_columns_are_not_a_hundred_comments():
    notes = tuple(ColumnNote(f"c{n}", "constant", "always 1") for n in range(100))
    suspect = ColumnNote("total", "suspect", "y = total")
    code = _render(left_out=(suspect, *notes))
    assert '"total",  # suspect: y = total' in code
    assert "# And 100 constant.\n" in code
    assert code.count("always 1") == 0


def test_watched_columns_are_told_and_many_are_counted():
    notes = tuple(ColumnNote(f"c{n}", "date", "looks like a time") for n in range(9))
    code = _render(watched=notes)
    assert "# - c0: looks like a time\n" in code
    assert "# - and 3 more columns like these\n" in code


def test_the_names_of_a_file_without_header_are_written_down():
    source = FileSource("shop.csv", columns=("a", "b", "y"), has_header=False)
    code = render_pipeline(_notes(), NAMES, ProjectSource(source), ExpectedRows())
    assert 'columns=["a", "b", "y"]' in code
    source = FileSource("shop.csv", has_header=False)
    bare = render_pipeline(_notes(), NAMES, ProjectSource(source), ExpectedRows())
    assert "has_header=False" in bare


@given(st.text(min_size=1, max_size=30), st.text(max_size=40))
def test_no_name_can_break_the_file(name, reason):
    code = _render(
        target=name,
        target_says=f"{name} has two values.",
        left_out=(ColumnNote(name, "suspect", reason), ColumnNote("b", "text", name)),
        watched=(ColumnNote(name, "suspect", reason),),
        slices=(name,),
        warnings=(reason,),
        split=SplitChoice(name, by_time=name, by_group=name),
    )
    tree = ast.parse(code)
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == [
        "train",
        "shop",
    ]
