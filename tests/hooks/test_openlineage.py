"""OpenLineage: the events are what its own client makes of the same facts, and takes."""

from typing import Any

import attr
import pytest
from openlineage.client import event_v2, facet_v2

import penstock as ps
from penstock.execution import QuietReporter

PLACES = {
    "parent": ("parent_run", "ParentRunFacet"),
    "errorMessage": ("error_message_run", "ErrorMessageRunFacet"),
    "processing_engine": ("processing_engine_run", "ProcessingEngineRunFacet"),
    "tags": ("tags_run", "TagsRunFacet"),
    "jobType": ("job_type_job", "JobTypeJobFacet"),
    "schema": ("schema_dataset", "SchemaDatasetFacet"),
    "version": ("dataset_version_dataset", "DatasetVersionDatasetFacet"),
    "outputStatistics": ("output_statistics_output_dataset", "OutputStatisticsOutputDatasetFacet"),
}


def made_by_the_client(kind: str, facts: dict[str, Any]) -> Any:
    module, name = PLACES[kind]
    cls = getattr(getattr(facet_v2, module), name)
    assert facts["_schemaURL"] == cls._get_schema(), kind
    own = {key: value for key, value in facts.items() if not key.startswith("_")}
    known = {field.name for field in attr.fields(cls)}
    assert set(own) <= known, kind
    return cls(**own)


def read(event: dict[str, Any]) -> event_v2.RunEvent:
    """Build the event with the client's classes, whose validators judge it."""

    def datasets(cls: Any, found: list[dict[str, Any]]) -> list[Any]:
        made = []
        for each in found:
            extra = {
                key: {k: made_by_the_client(k, v) for k, v in each[key].items()}
                for key in ("outputFacets",)
                if key in each
            }
            facets = {k: made_by_the_client(k, v) for k, v in each["facets"].items()}
            made.append(cls(namespace=each["namespace"], name=each["name"], facets=facets, **extra))
        return made

    assert event["schemaURL"].startswith("https://openlineage.io/spec/2-0-2/")
    return event_v2.RunEvent(
        eventType=event_v2.RunState(event["eventType"]),
        eventTime=event["eventTime"],
        run=event_v2.Run(
            runId=event["run"]["runId"],
            facets={k: made_by_the_client(k, v) for k, v in event["run"]["facets"].items()},
        ),
        job=event_v2.Job(
            namespace=event["job"]["namespace"],
            name=event["job"]["name"],
            facets={k: made_by_the_client(k, v) for k, v in event["job"]["facets"].items()},
        ),
        inputs=datasets(event_v2.InputDataset, event["inputs"]),
        outputs=datasets(event_v2.OutputDataset, event["outputs"]),
        producer=event["producer"],
    )


@ps.step
def table(rows: int) -> ps.Table:
    import polars as pl

    return pl.DataFrame({"x": list(range(rows)), "y": ["a"] * rows})


@ps.step
def count(found: ps.Table, fail: bool) -> int:
    if fail:
        raise ValueError("it broke")
    return found.height


@ps.pipeline
def job(rows: int = 3, fail: bool = False):
    return count(table(rows), fail)


def go(store, **options):
    return ps.run(job, store=store, reporter=QuietReporter(), **options)


def test_a_run_and_its_steps_are_told_as_the_client_would(hooks, receiver, store):
    hooks.add(receiver.url, form="openlineage", secret="key")
    go(store, tags={"team": "risk"})
    events = [got.json for got in receiver.got]
    read_all = [read(event) for event in events]
    told = [(event.eventType.value, event.job.name) for event in read_all]
    assert told == [
        ("START", "job"),
        ("START", "job.table"),
        ("COMPLETE", "job.table"),
        ("START", "job.count"),
        ("COMPLETE", "job.count"),
        ("COMPLETE", "job"),
    ]
    assert receiver.got[0].headers["authorization"] == "Bearer key"
    parents = {event.run.facets["parent"].run["runId"] for event in read_all[1:5]}  # type: ignore[attr-defined]
    assert parents == {read_all[0].run.runId} == {read_all[-1].run.runId}


def test_what_steps_hand_on_is_one_dataset(hooks, receiver, store):
    hooks.add(receiver.url, form="openlineage", events=["step.finished"])
    go(store)
    made, used = (got.json for got in receiver.got)
    (output,), (given,) = made["outputs"], used["inputs"]
    assert (output["namespace"], output["name"]) == (given["namespace"], given["name"])
    assert output["name"] == "table.result"
    assert output["facets"]["version"] == given["facets"]["version"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 3
    assert [field["name"] for field in output["facets"]["schema"]["fields"]] == ["x", "y"]


def test_a_failure_is_told_with_its_trace(hooks, receiver, store):
    hooks.add(receiver.url, form="openlineage", events=["step.failed", "run.failed"])
    go(store, fail=True)
    step, run = (read(got.json) for got in receiver.got)
    assert step.eventType is event_v2.RunState.FAIL
    assert "it broke" in step.run.facets["errorMessage"].message  # type: ignore[attr-defined]
    assert "ValueError" in step.run.facets["errorMessage"].stackTrace  # type: ignore[attr-defined]
    assert run.run.facets["errorMessage"].stackTrace is None  # type: ignore[attr-defined]


def test_rows_of_a_source_are_an_input(hooks, receiver, store, tmp_path):
    (tmp_path / "rides.csv").write_text("a,b\n1,2\n3,4\n")
    source = ps.FileSource(str(tmp_path / "rides.csv"))

    @ps.pipeline
    def reading():
        return ps.steps.ingest(source)

    hooks.add(receiver.url, form="openlineage", events=["step.finished"])
    ps.run(reading, store=store, reporter=QuietReporter())
    event = receiver.got[-1].json
    assert [each.name for each in read(event).inputs] == ["rides"]


def test_a_run_that_is_gone_is_told_of_all_the_same(hooks, receiver, store):
    hooks.add(receiver.url, form="openlineage")
    hooks.pause("openlineage")
    result = go(store)
    with store.metadata.database.write() as transaction:
        transaction.execute("DELETE FROM runs WHERE run_id = ?", (result.run_id,))
    hooks.resume("openlineage")
    delivered = hooks.deliver()
    assert delivered == 6
    assert {read(got.json).eventType.value for got in receiver.got} == {"START", "COMPLETE"}


def test_the_client_itself_refuses_what_is_wrong():
    good = {"namespace": "n", "name": "j", "facets": {}}
    run = {"runId": "no uuid", "facets": {}}
    with pytest.raises(ValueError, match="UUID"):
        read(
            {
                "eventType": "START",
                "eventTime": "2026-01-01T00:00:00+00:00",
                "run": run,
                "job": good,
                "inputs": [],
                "outputs": [],
                "producer": "urn:penstock:0",
                "schemaURL": "https://openlineage.io/spec/2-0-2/",
            }
        )
