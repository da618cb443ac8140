"""ExportPlan: names that every engine accepts, needs, and what the engine's clock fills."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import ParameterError
from penstock.exporters._plan import plan_export
from penstock.pipelines import EdgeSpec, Partitions, PipelineSpec, StepSpec, pipeline, step


def planned(names, edges=(), **more):
    steps = tuple(StepSpec(name) for name in names)
    return plan_export(PipelineSpec("job", steps=steps, edges=edges, **more), "job.py", defaults={})


@given(st.lists(st.text("aB-_ 1[é", min_size=1, max_size=4), unique=True, max_size=8))
def test_ids_are_unique_plain_and_no_words_of_the_files(names):
    ids = [task.id for task in planned(names).tasks]
    assert len(set(ids)) == len(ids)
    assert all(each.isidentifier() and each == each.lower() for each in ids)


def test_a_step_with_a_name_of_the_file_or_of_the_tasks_of_a_map_gets_another_id():
    steps = (StepSpec("train", each="depth"), *map(StepSpec, ("train_items", "step", "import")))
    plan = plan_export(PipelineSpec("job", steps=steps), "job.py", defaults={})
    assert [task.id for task in plan.tasks] == [
        "train", "train_items_2", "step_step", "import_step",
    ]  # fmt: skip


def test_needs_are_those_of_arguments_and_conditions():
    edges = (EdgeSpec("a", "c", "result", "x"), EdgeSpec("b", "c", "result", "if true"))
    *_, c = planned(["a", "b", "c"], edges).tasks
    assert (c.needs, c.is_conditional) == (("a", "b"), True)


def test_a_name_that_cannot_be_passed_on_is_refused():
    with pytest.raises(ParameterError, match="comma"):
        planned(["a,b"])


@step
def rows(since: date, cutoff: date, rate: float) -> int:
    return 1


def test_partitions_give_the_clock_and_their_parameters():
    for partitions, cron in (
        (Partitions.hourly("2026-01-01T00"), "0 * * * *"),
        (Partitions.weekly("2026-01-05"), "0 0 * * 1"),
        (Partitions.monthly("2026-01-01"), "0 0 1 * *"),
    ):

        @pipeline(partitions=partitions)
        def job(since, cutoff, rate: float = 0.5):
            rows(since, cutoff, rate)

        graph = job.trace(since="2026-01-01", cutoff="2026-01-02")
        spec = PipelineSpec.of(graph).of_pipeline(job)
        plan = plan_export(spec, "job.py:job", defaults={"rate": "0.25"})
        assert plan.cron == cron
        assert [(each.name, each.default) for each in plan.inputs] == [("rate", "0.25")]
        assert '${PARTITION:+--partition "$PARTITION"}' in plan.prepare_shell()
