"""Work on its way to another process: nodes go by name, code is compared."""

import pickle
from dataclasses import replace

import pytest

from penstock.core import StepError
from penstock.execution.engine import Values
from penstock.execution.runners._setup import Setup
from penstock.execution.runners._workshop import Workshop, pack_work
from penstock.execution.step import Work
from penstock.pipelines import EntryPoint

BODY = """
@ps.step
def make() -> list:
    return [1, 2]

@ps.step
def use(parts: list) -> int:
    return sum(parts)

@ps.pipeline
def job():
    return use(make())
"""


@pytest.fixture
def sent(project):
    result = project.run(BODY)
    record = project.steps(result.run_id)["use"]
    setup = Setup(
        project.store.address,
        project.store.artifacts.url,
        result.run_id,
        EntryPoint(f"{project.folder}/job.py", "job"),
        str(project.folder),
    )
    values = Values(project.store, result.graph)
    values.add_recorded("make", project.steps(result.run_id)["make"])
    return setup, Work(result.graph["use"], record), values


def test_work_arrives_with_the_node_of_the_file_and_the_records_of_its_inputs(project, sent):
    setup, work, values = sent
    packed = pack_work(setup, work, values)
    arrived = Workshop(setup, project.store, {}).unpack(packed)
    assert (arrived.node.name, arrived.record) == ("use", work.record)
    assert project.store.load(arrived.inputs["parts"]) == [1, 2]
    _, sent = pickle.loads(packed)
    with pytest.raises(pickle.UnpicklingError):  # the node itself is not in the bytes
        pickle.loads(sent)


def test_a_step_that_was_edited_or_removed_meanwhile_is_refused(project, sent):
    setup, work, values = sent
    packed = pack_work(setup, work, values)
    project.write(BODY.replace("sum(parts)", "len(parts)"))
    with pytest.raises(StepError, match="is not what it was when the run began"):
        Workshop(setup, project.store, {}).unpack(packed)
    gone = pack_work(setup, replace(work, node=replace(work.node, name="gone")), values)
    with pytest.raises(StepError, match="has no step 'gone' any more"):
        Workshop(setup, project.store, {}).unpack(gone)
