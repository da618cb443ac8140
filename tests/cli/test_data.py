"""``penstock data``: list, show, diff; as text and as JSON."""

import pytest

PIPELINE = """
import penstock as ps

rides = ps.FileSource("rides.csv", time="day")


@ps.pipeline
def job(cutoff: str | None = None):
    return ps.steps.ingest(rides, cutoff=cutoff)
"""


@pytest.fixture
def two(shell):
    """A shell in whose store two versions of rides were ingested."""
    (shell.folder / "job.py").write_text(PIPELINE)
    lines = [f"{n},2026-01-{n:02},{n / 2}" for n in range(1, 21)]
    (shell.folder / "rides.csv").write_text("\n".join(["id,day,tip", *lines]) + "\n")
    shell("run", "job.py", "-q")
    lines[2] = "3,2026-01-03,99.5"
    (shell.folder / "rides.csv").write_text("\n".join(["id,day,tip", *lines[1:]]) + "\n")
    shell("run", "job.py", "-q", "--cutoff", "2026-01-19")
    return shell


def test_data_sets_are_listed_shown_and_compared(two):
    assert "rides" in two("data", "list").out
    [listed] = two("data", "list", "--json").json
    assert (listed["name"], listed["versions"], listed["latest"]["rows"]) == ("rides", 2, 17)
    shown = two("data", "show", "rides").out
    assert "before 2026-01-19T00:00" in shown
    assert "penstock data diff rides@1 rides@2" in shown
    assert "1 files" in two("data", "show", "rides@1").out
    assert two("data", "show", "rides@2", "--json").json["read"]["cutoff"].startswith("2026-01-19")
    told = two("data", "diff", "rides@1", "rides", "--key", "id", code=1).out
    for words in ("20 → 17 rows", "3 rows deleted", "1 rows changed", "1 in tip", "99.5"):
        assert words in told
    found = two("data", "diff", "rides@1", "rides@2", "--json", code=1).json
    assert (found["versions"], found["added"], found["deleted"]) == (["rides@1", "rides@2"], 1, 4)
    assert "equal rows" in two("data", "diff", "rides@1", "rides@1").out


def test_what_is_not_there_is_named(two):
    assert "Did you mean 'rides'?" in two("data", "show", "ride", code=2).err
    assert "versions 1 to 2" in two("data", "diff", "rides@1", "rides@7", code=2).err
    assert "no column 'idd'" in two("data", "diff", "rides@1", "rides", "--key", "idd", code=2).err


LEARNED = PIPELINE.replace("cutoff=cutoff)", 'cutoff=cutoff, expect="learned")')


def write_rows(shell, count, factor=1):
    lines = [f"{n},2026-01-{1 + n % 28:02},{factor * (n % 17)}" for n in range(count)]
    (shell.folder / "rides.csv").write_text("\n".join(["id,day,tip", *lines]) + "\n")


def test_refused_rows_are_accepted_by_name(shell):
    (shell.folder / "job.py").write_text(LEARNED)
    for count in (280, 281, 282):
        write_rows(shell, count)
        shell("run", "job.py", "-q")
    write_rows(shell, 283, factor=100)
    refused = shell("run", "job.py", "-q", code=3).err
    assert "'tip' moved" in refused
    digest = refused.partition("penstock data accept rides ")[2].split()[0]
    assert "reason" in shell("data", "accept", "rides", digest, "--reason", " ", code=2).err
    other = shell("data", "accept", "ride", digest, "--reason", "a slip of the pen").out
    assert "No data set ride was ingested so far. Did you mean 'rides'?" in other
    told = shell("data", "accept", "rides", digest, "--reason", "new unit", "--json").json
    assert (told["name"], told["digest"], told["reason"]) == ("rides", digest, "new unit")
    assert "new unit" in shell("run", "job.py").err
    assert "'tip' moved" in shell("data", "check", "rides", code=1).out
    found = shell("data", "check", "rides@3", "--json").json
    assert found["version"] == "rides@3"
    assert [one["level"] for one in found["findings"]] == ["info"]
