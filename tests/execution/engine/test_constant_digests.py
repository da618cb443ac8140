"""Sources whose data no trace of the step sees: state per window, and a second look after reading."""

import pytest

BODY = """
import json
from pathlib import Path

class Table:
    '''Rows that lie elsewhere: its state is a file that the step does not open.'''
    name, time = "table", None
    def __init__(self, path): self.path = path
    def describe(self): return {{"name": self.name}}
    def fingerprint(self, since=None, cutoff=None):
        days = json.loads(Path(self.path).read_text())
        if days is None:
            return None
        return {{day: text for day, text in days.items() if cutoff is None or day < cutoff}}
    def scan(self, since=None, cutoff=None): return []

table = Table({path!r})

@ps.step(source=True)
def read(source, cutoff: str) -> int:
    note("read")
    {work}
    return 1

@ps.step
def after(rows) -> int:
    note("after")
    return rows + 1

@ps.pipeline
def job(cutoff: str = "3"):
    return after(read(table, cutoff))
"""


@pytest.fixture
def state(tmp_path_factory):
    # Outside of the project, whose folders are watched.
    path = tmp_path_factory.mktemp("elsewhere") / "state.json"
    path.write_text('{"1": "a", "2": "b"}')
    return path


def test_rows_after_the_cutoff_do_not_count_in_the_key(project, state):
    calls = called_in(project, state)
    assert calls() == ["read", "after"]
    state.write_text('{"1": "a", "2": "b", "3": "new"}')
    assert calls() == []
    state.write_text('{"1": "a", "2": "other", "3": "new"}')
    assert calls() == ["read"]


def test_a_source_without_a_state_is_read_each_time_and_equal_rows_are_reused(project, state):
    state.write_text("null")
    calls = called_in(project, state)
    assert calls() == ["read", "after"]
    assert calls() == ["read"]


def test_a_source_that_changes_while_it_is_read_gives_no_reusable_result(project, state):
    text = BODY.format(path=str(state), work=f"Path({str(state)!r}).write_text('{{}}')")
    steps = project.steps(project.run(text).run_id)
    assert steps["read"].facts["trace"]["never"] == [
        "the data of 'source' changed while it was read"
    ]
    assert "never" not in steps["after"].facts["trace"]
    state.write_text('{"1": "a", "2": "b"}')
    assert project.run(text).run_id
    assert project.calls == ["read", "after", "read"]


def called_in(project, path, work="pass"):
    text = BODY.format(path=str(path), work=work)

    def calls():
        project.run(text)
        return project.calls

    return calls
