import os
import re
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError, NotFoundError, ParameterError, SchemaError
from penstock.data import DataSource, FileSource
from penstock.data.sources import resolving_in
from penstock.testing import SourceContract

ROWS = pl.DataFrame(
    {
        "day": [date(2016, 1, n) for n in range(1, 8)],
        "tip": [0.5 * n for n in range(7)],
        "who": ["a", "b", "a", "c", "a", "b", "a"],
    }
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_PROJECT", raising=False)
    return tmp_path


def write(path, table: pl.DataFrame = ROWS):
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".csv":
            table.write_csv(path)
        case ".parquet":
            table.write_parquet(path)
        case _:
            path.write_text("\n".join(table.write_ndjson().splitlines()), encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_every_format_gives_the_same_rows(here, ending):
    write(here / f"rides.{ending}")
    source = FileSource(f"rides.{ending}", time="day")
    assert isinstance(source, DataSource)
    assert source.read().equals(ROWS)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_only_rows_from_since_to_before_cutoff_are_read(here, ending):
    write(here / f"rides.{ending}")
    rows = FileSource(f"rides.{ending}", time="day").read("2016-01-02", date(2016, 1, 5))
    assert rows["day"].to_list() == [date(2016, 1, n) for n in (2, 3, 4)]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize(
    "limits", [{"cutoff": "2015-12-31"}, {"since": "2016-02-01"}, {"cutoff": "2016-01-01"}]
)
def test_limits_outside_the_data_are_refused_with_the_range_found(here, ending, limits):
    write(here / f"rides.{ending}")
    with pytest.raises(
        DataError, match=r"They run from 2016-01-01 00:00 to 2016-01-07 00:00"
    ) as caught:
        FileSource(f"rides.{ending}", time="day").read(**limits)
    assert caught.value.last == datetime(2016, 1, 7, tzinfo=UTC)


@given(
    days=st.lists(st.integers(0, 60), min_size=1, max_size=20),
    since=st.integers(0, 60),
    length=st.integers(1, 60),
)
def test_rows_after_the_cutoff_change_nothing(days, since, length, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    start = datetime(2016, 1, 1, tzinfo=UTC).timestamp()
    inside = [day for day in days if since <= day < since + length]
    limits = {"since": day_text(since), "cutoff": day_text(since + length)}
    # A later row that would turn the whole column into text.
    late = [f"{int(start) + 86_400 * (since + length + extra)},soon" for extra in range(3)]
    lines = [f"{int(start) + 86_400 * day},{day}" for day in days]
    (folder / "a.csv").write_text("\n".join(["t,n", *lines]))
    (folder / "b.csv").write_text("\n".join(["t,n", *lines, *late]))
    if not inside:
        for name in "ab":
            with pytest.raises(DataError, match=r"has no rows"):
                FileSource(folder / f"{name}.csv", time="t").read(**limits)
        return
    first, second = (FileSource(folder / f"{n}.csv", time="t").read(**limits) for n in "ab")
    assert first["n"].to_list() == inside
    assert first.equals(second)


def day_text(day: int) -> str:
    return (date(2016, 1, 1) + (date(2016, 1, 2) - date(2016, 1, 1)) * day).isoformat()


def test_a_date_and_an_hour_column_make_the_time(here):
    (here / "a.csv").write_text("d,h\n2011-01-01,0\n2011-01-01,5\n2011-01-02,1\n")
    source = FileSource("a.csv", time=("d", "h"))
    assert source.read("2011-01-01T05:00", "2011-01-02T01:00").rows() == [(date(2011, 1, 1), 5)]
    assert source.describe()["time"] == ["d", "h"]


def test_epoch_seconds_become_times_and_other_texts_need_a_format(here):
    (here / "a.csv").write_text("t,u\n1400269500,16/05/2014\n")
    assert FileSource("a.csv", time="t").read()["t"].dtype == pl.Datetime("us", "UTC")
    formed = FileSource("a.csv", time="u", time_format="%d/%m/%Y")
    assert formed.read()["u"].to_list() == [date(2014, 5, 16)]
    with pytest.raises(DataError, match=r"time_format"):
        FileSource("a.csv", time="u").read()


def test_zoned_parquet_times_are_limited_in_utc(here):
    times = pl.Series("t", [datetime(2016, 1, 1, h, tzinfo=UTC) for h in (0, 12, 23)])
    table = pl.DataFrame({"t": times.dt.convert_time_zone("America/Chicago"), "n": [1, 2, 3]})
    table.write_parquet("a.parquet")
    assert FileSource("a.parquet", time="t").read("2016-01-01T12:00")["n"].to_list() == [2, 3]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_without_a_time_are_left_out_under_a_limit_and_counted(here, ending):
    table = ROWS.with_columns(day=pl.when(pl.col("who") != "c").then("day"))
    write(here / f"a.{ending}", table)
    source = FileSource(f"a.{ending}", time="day")
    limited, free = source.scan(cutoff="2017-01-01"), source.scan()
    assert [batch.height for scan in (limited, free) for batch in scan] == [6, 7]
    assert "left out" in limited.reading.findings[0].message
    assert ending == "parquet" or "kept" in free.reading.findings[0].message


def test_a_source_whose_rows_have_no_time_at_all_says_so(here):
    (here / "a.csv").write_text("t,n\n,1\n,2\n")
    with pytest.raises(DataError, match=r"None of its rows has a time"):
        FileSource("a.csv", time="t").read(cutoff="2016-01-01")


def test_files_of_a_folder_or_a_glob_are_read_in_order_of_name(here):
    for name, start in (("b", 3), ("a", 0), ("c/d", 6)):
        write(here / "rides" / f"{name}.csv", ROWS[start : start + 3])
    (here / "rides" / "_SUCCESS").write_text("")
    (here / "rides" / ".hidden.csv").write_text("x\n1\n")
    assert FileSource("rides").read().equals(ROWS)
    assert FileSource("rides/*.csv").read().equals(ROWS[:6])
    assert FileSource(str(here / "rides" / "**" / "*.csv")).read().equals(ROWS)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_with_other_columns_are_named(here, ending):
    write(here / "r" / f"a.{ending}")
    write(here / "r" / f"b.{ending}", ROWS.rename({"who": "whom"}))
    with pytest.raises(SchemaError, match=f"b.{ending} has no column 'who' that a.{ending} has"):
        FileSource("r").read()
    write(here / "r" / f"b.{ending}", ROWS.with_columns(more=1))
    with pytest.raises(SchemaError, match=f"b.{ending} has a column 'more' that"):
        FileSource("r").read()
    write(here / "r" / f"b.{ending}", ROWS.select(reversed(ROWS.columns)))
    with pytest.raises(SchemaError, match=r"in another order"):
        FileSource("r").read()


def test_parquet_files_with_other_types_are_named(here):
    write(here / "r" / "a.parquet")
    write(here / "r" / "b.parquet", ROWS.cast({"tip": pl.Int64}))
    with pytest.raises(SchemaError, match=r"'tip' is Int64 in b.parquet and Float64 in a.parquet"):
        FileSource("r").read()


def test_json_objects_may_lack_keys_and_lists_are_read_too(here):
    (here / "a.jsonl").write_text('{"a": 1}\n{"a": 2.5, "b": "2016-01-01"}\n')
    expected = [(1.0, None), (2.5, date(2016, 1, 1))]
    assert FileSource("a.jsonl").read().rows() == expected
    (here / "b.json").write_text('[{"a": 1}, {"a": 2.5, "b": "2016-01-01"}]')
    assert FileSource("b.json").read().rows() == expected


def test_texts_in_json_stay_texts(here):
    (here / "a.jsonl").write_text('{"a": "12"}\n')
    assert FileSource("a.jsonl").read().rows() == [("12",)]


def test_broken_files_are_refused_by_name(here):
    (here / "a.jsonl").write_text('{"a": 1\n')
    (here / "a.parquet").write_text("no")
    (here / "b.jsonl").write_text("\n")
    with pytest.raises(DataError, match=r"a.jsonl is not JSON lines"):
        FileSource("a.jsonl").read()
    with pytest.raises(DataError, match=r"a.parquet is not Parquet"):
        FileSource("a.parquet").read()
    with pytest.raises(DataError, match=r"b.jsonl has no rows"):
        FileSource("b.jsonl").read()


def test_a_table_with_a_header_only_has_no_rows(here):
    (here / "a.csv").write_text("a,b\n")
    with pytest.raises(DataError, match=r"a.csv has no rows"):
        FileSource("a.csv").read()
    write(here / "a.parquet", ROWS.clear())
    with pytest.raises(DataError, match=r"has no rows"):
        FileSource("a.parquet", time="day").read(cutoff="2016-01-01")


def test_a_missing_file_is_refused_with_the_nearest_name(here):
    write(here / "chicago_taxi_trips.csv")
    (here / "notes.md").write_text("")
    with pytest.raises(NotFoundError, match=r"no file chicago_taxi.csv.*'chicago_taxi_trips.csv'"):
        FileSource("chicago_taxi.csv").read()
    with pytest.raises(NotFoundError, match=r"no file nowhere/\*.csv"):
        FileSource("nowhere/*.csv").fingerprint()


def test_a_folder_without_data_files_is_not_called_missing(here):
    (here / "code").mkdir()
    (here / "code" / "job.py").write_text("")
    with pytest.raises(NotFoundError, match=r"The folder code has no data files.*\.csv"):
        FileSource("code").read()


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_wrong_time_column_is_refused_with_the_nearest_name(here, ending):
    write(here / f"a.{ending}")
    with pytest.raises(NotFoundError, match=r"time column 'dya'.*Did you mean 'day'"):
        FileSource(f"a.{ending}", time="dya").read()


def test_limits_need_a_time_column_and_an_order(here):
    write(here / "a.csv")
    with pytest.raises(DataError, match=r"no time column.*time="):
        FileSource("a.csv").read(cutoff="2016-01-01")
    with pytest.raises(DataError, match=r"is not before cutoff"):
        FileSource("a.csv", time="day").read("2016-01-03", "2016-01-03")


def test_an_unknown_ending_or_several_need_a_format(here):
    (here / "a.dat").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"cannot be told from its ending \(.dat\)"):
        FileSource("a.dat").read()
    assert FileSource("a.dat", format="csv").read().rows() == [(1,)]
    write(here / "r" / "a.csv")
    write(here / "r" / "a.parquet")
    with pytest.raises(DataError, match=r"cannot be told"):
        FileSource("r").read()


def test_wrong_settings_are_refused_when_the_source_is_made():
    with pytest.raises(DataError, match=r"format='cvs' is not known.*'csv'"):
        FileSource("a.csv", format="cvs")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"names 3 columns"):
        FileSource("a.csv", time=("a", "b", "c"))  # type: ignore[arg-type]


def test_the_name_comes_from_the_path_unless_given():
    assert FileSource("data/trips 2016/*.csv.gz").name == "trips-2016"
    assert FileSource("*.csv").name == "files"
    assert FileSource("a/rides.csv").name == "rides"
    assert FileSource("a.csv", name="rides").name == "rides"


def test_the_fingerprint_changes_with_a_file_and_with_an_option(here):
    write(here / "a.csv")
    first = FileSource("a.csv").fingerprint()
    assert first == FileSource("a.csv").fingerprint()
    assert FileSource("a.csv", missing=["-"]).fingerprint() != first
    write(here / "a.csv", ROWS[:3])
    assert FileSource("a.csv").fingerprint() != first


def test_the_fingerprint_does_not_depend_on_where_the_project_lies(here, monkeypatch):
    prints = []
    for folder in ("one", "two"):
        write(here / folder / "data" / "a.csv")
        monkeypatch.setenv("PENSTOCK_PROJECT", str(here / folder))
        prints.append(FileSource("data/a.csv").fingerprint())
    assert prints[0] == prints[1]


def test_a_relative_path_is_found_beside_the_file_that_made_the_source(here, monkeypatch):
    write(here / "project" / "a.csv")
    code = "from penstock.data import FileSource\nsource = FileSource('a.csv')\n"
    script = here / "project" / "pipeline.py"
    script.write_text(code)
    space = {"__name__": "pipeline"}
    exec(compile(code, str(script), "exec"), space)
    assert space["source"].read().height == 7  # type: ignore[attr-defined]
    monkeypatch.setenv("PENSTOCK_PROJECT", os.fspath(here))
    assert space["source"].read().height == 7  # type: ignore[attr-defined]


def test_a_relative_path_is_found_in_the_project_folder(here, monkeypatch):
    write(here / "a.csv")
    (here / "pyproject.toml").write_text("")
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    assert FileSource("a.csv").read().height == 7


def test_equal_sources_are_equal(here):
    assert FileSource("a.csv", time="t") == FileSource("a.csv", time="t")
    assert FileSource("a.csv") != FileSource("b.csv")
    assert hash(FileSource("a.csv", columns=["a"])) == hash(FileSource("a.csv", columns=["a"]))


def _made_by(script, path):
    script.parent.mkdir(parents=True, exist_ok=True)
    code = f"from penstock.data import FileSource\nsource = FileSource({path!r})\n"
    script.write_text(code)
    space = {"__name__": "pipeline"}
    exec(compile(code, str(script), "exec"), space)
    return space["source"]


def test_one_file_is_found_however_the_run_is_started(here, monkeypatch):
    project = here / "project"
    write(project / "rides.csv")
    write(here / "rides.csv", ROWS[:2])  # another file, where `../` leads from the project
    (project / "pyproject.toml").write_text("")
    source = _made_by(project / "rides" / "pipeline.py", "../rides.csv")
    for folder in (project, project / "rides", here):
        monkeypatch.chdir(folder)
        monkeypatch.delenv("PENSTOCK_PROJECT", raising=False)
        assert source.read().height == 7
        monkeypatch.setenv("PENSTOCK_PROJECT", str(project))  # as the scheduler does
        assert source.read().height == 7
    with resolving_in(project):
        assert source.read().height == 7


def test_a_restored_copy_of_the_pipeline_reads_the_projects_files(here, monkeypatch):
    write(here / "project" / "rides.csv")
    (here / "project" / "rides").mkdir()
    write(here / "copy" / "rides.csv", ROWS[:2])
    source = _made_by(here / "copy" / "rides" / "pipeline.py", "../rides.csv")
    monkeypatch.setenv("PENSTOCK_PROJECT", os.fspath(here / "project" / "rides"))
    assert source.read().height == 7


def test_a_missing_file_lists_nothing_of_foreign_folders(here, monkeypatch):
    project = here / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    for name in ("secret.csv", "rids.csv"):
        write(here / name)
    write(project / "other.csv")
    for path in ("../rides.csv", "rides.csv", "../secre.csv"):
        with pytest.raises(NotFoundError) as caught:
            FileSource(path).read()
        assert not {"secret", "rids", "other", "Known"} & set(re.findall(r"\w+", str(caught.value)))


class Folder:
    def __init__(self, folder, ending):
        self.folder, self.ending = folder / "rows", ending
        self.folder.mkdir()

    def add(self, rows):
        path = self.folder / f"{len(list(self.folder.iterdir()))}.{self.ending}"
        if self.ending == "parquet":
            rows.write_parquet(path)
        elif self.ending == "csv":
            rows.write_csv(path)
        else:
            rows.write_ndjson(path)

    def source(self, **options):
        return FileSource(self.folder, **options)


class TestFiles(SourceContract):
    @pytest.fixture(params=["parquet", "csv", "jsonl"])
    def system(self, request, tmp_path):
        return Folder(tmp_path, request.param)
