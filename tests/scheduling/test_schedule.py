"""Schedule and Schedules: what a schedule must say, and what is told at once instead of at night."""

import pytest

from penstock.core import ConflictError, DefinitionError, NotFoundError, ParameterError
from penstock.execution import load_pipeline
from penstock.pipelines import pipeline
from penstock.scheduling import Schedule, next_due_of


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({}, DefinitionError, "No trigger is set for 'job' is to run"),
        ({"cron": "0 3 * *"}, DefinitionError, "five fields"),
        ({"cron": "0 3 * * *", "timezone": "Zurich"}, DefinitionError, "no timezone"),
        ({"cron": "0 3 * * *", "every": "1h"}, DefinitionError, "by cron and by every"),
        ({"every": "soon"}, ParameterError, "no duration"),
        ({"every": "10ms"}, DefinitionError, "a second or more"),
        ({"every": "1h", "catch_up": "lost"}, DefinitionError, "Did you mean 'last'|Known: last"),
        ({"every": "1h", "max_active_runs": 0}, DefinitionError, "1 or more"),
        ({"every": "1h", "runner": "rya"}, DefinitionError, "Did you mean 'ray'"),
        ({"every": "1h", "params": {"wrod": "x"}}, ParameterError, "Did you mean 'word'"),
        ({"every": "1h", "name": "my job"}, ParameterError, "no legal name"),
    ],
)
def test_a_schedule_that_cannot_work_is_refused_when_it_is_added(project, options, error, told):
    with pytest.raises(error, match=told):
        project.schedules.add(Schedule(pipeline=project.file + ":job", **options))
    assert project.schedules.list() == []


def test_a_pipeline_that_needs_to_know_how_far_back_is_told_of_windows(project):
    project.write(
        """
        from datetime import date

        import penstock as ps

        @ps.step
        def f(since: date, cutoff: date) -> str:
            return f"{since} {cutoff}"

        @ps.pipeline
        def job(since: date, cutoff: date):
            return f(since, cutoff)
        """
    )
    with pytest.raises(ParameterError, match="does not say how far back") as caught:
        project.schedules.add(Schedule(pipeline=project.file, cron="0 3 * * *"))
    assert "--window 90d" in caught.value.fix


def test_a_pipeline_of_no_file_is_refused(project):
    @pipeline
    def inner():
        return load_pipeline(project.file + ":job").function.__globals__["told"](None, None, "x")

    with pytest.raises(DefinitionError, match="is in no file of the project"):
        project.schedules.add(Schedule(pipeline=inner, every="1h"))


def test_every_schedule_of_a_file_is_added_by_its_name_there(project):
    with pytest.raises(DefinitionError, match="defines no schedule"):
        project.schedules.add_all(project.file)
    with (project.folder / "job.py").open("a") as file:
        file.write('\nnightly = ps.Schedule(pipeline=job, cron="0 3 * * *")\n')
        file.write('other = ps.Schedule(pipeline=job, name="often", every="5m")\n')
    added = project.schedules.add_all(project.file)
    assert [record.name for record in added] == ["nightly", "often"]
    assert added[0].entry == "job.py:job"


def test_a_schedule_added_again_keeps_what_it_has_seen_unless_it_is_due_by_another(project, clock):
    def add(**options):
        return project.schedules.add(Schedule(pipeline=project.file + ":job", **options))

    add(every="1h")
    project.scheduler().once()
    project.schedules.pause("job")
    before = project.schedules.get("job")
    clock.go_on(minutes=30)
    again = add(every="1h", params={"word": "x"})
    assert (again.trigger, again.cursor) == (before.trigger, before.cursor)
    assert again.paused_at is not None
    assert add(every="2h").cursor is None


def test_a_name_that_another_project_has_is_refused(project):
    project.schedules.add(Schedule(pipeline=project.file + ":job", every="1h"))
    project.folder.rename(project.folder.with_name("other"))
    with pytest.raises(ConflictError, match="belongs to trips"):
        project.schedules.add(
            Schedule(pipeline=f"{project.folder.with_name('other')}/job.py:job", every="1h")
        )


def test_when_it_is_due_next_is_told(project, clock):
    schedules = project.schedules
    record = schedules.add(
        Schedule(pipeline=project.file + ":job", cron="0 3 * * *", timezone="Europe/Zurich")
    )
    assert next_due_of(record).isoformat() == "2026-01-06T02:00:00+00:00"
    assert schedules.next_due("job") == next_due_of(record)
    with pytest.raises(NotFoundError, match="no schedule 'jbo'"):
        schedules.pause("jbo")


def test_partitions_cannot_be_asked_for_without_saying_which(project):
    project.schedules.add(Schedule(pipeline=project.file + ":daily"))
    with pytest.raises(ConflictError, match="runs partitions") as caught:
        project.schedules.trigger("daily")
    assert "penstock backfill job.py:daily" in caught.value.fix


def test_a_removed_schedule_is_gone_with_its_ticks(project):
    project.schedules.add(Schedule(pipeline=project.file + ":job", every="1h"))
    project.schedules.trigger("job")
    project.schedules.remove("job")
    assert (project.schedules.list(), project.schedules.ticks()) == ([], [])


def test_sources_that_a_run_would_not_find_are_refused_when_the_schedule_is_added(project):
    project.write(
        """
        import penstock as ps

        rides = ps.FileSource("../nowhere/rides.csv")

        @ps.pipeline
        def job():
            return ps.steps.ingest(rides)
        """
    )
    with pytest.raises(NotFoundError, match=r"would not find its source 'rides'.*no file"):
        project.schedules.add(Schedule(pipeline=project.file, cron="0 3 * * *"))
    assert project.schedules.list() == []
    # What a schedule waits for may come later.
    project.schedules.add(Schedule(pipeline=project.file, new_data="rides.csv"))
