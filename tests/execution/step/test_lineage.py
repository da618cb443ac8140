"""Lineage: what the engine writes beside each step."""

BODY = """
class Sourced(dict):
    pass

@ps.step
def read() -> dict:
    return {"rows": list(range(3))}

@ps.step
def train(data: dict) -> str:
    return "model"

@ps.pipeline
def job():
    return train(read())
"""


def test_a_result_leads_up_to_step_run_code_and_environment(project):
    result = project.run(BODY)
    steps = project.steps(result.run_id)
    model = f"artifact:{result['train'].outputs['result']}"
    data = f"artifact:{result['read'].outputs['result']}"
    run = f"run:{result.run_id}"
    edges = {
        (edge.source, edge.target, edge.role)
        for edge in project.store.metadata.artifacts.list_edges(model, direction="up")
    }
    train, read = (f"step:{steps[name].step_run_id}" for name in ("train", "read"))
    assert {
        (train, model, "result"), (data, train, "data"), (read, data, "result"),
        (run, train, "step"), (run, read, "step"),
    } <= edges  # fmt: skip
    assert {source.partition(":")[0] for source, target, _ in edges if target == run} == {
        "code", "environment",
    }  # fmt: skip


def test_a_reused_result_was_made_by_the_first_run_and_used_by_the_second(project):
    first, second = project.run(BODY), project.run(BODY)
    model = f"artifact:{first['train'].outputs['result']}"
    up = {
        edge.source for edge in project.store.metadata.artifacts.list_edges(model, direction="up")
    }
    assert f"run:{first.run_id}" in up
    assert f"run:{second.run_id}" not in up
    down = project.store.metadata.artifacts.list_edges(model, direction="down")
    assert [edge.role for edge in down] == ["reused"]
    assert down[0].target == f"step:{project.steps(second.run_id)['train'].step_run_id}"


def test_the_edges_of_a_value_with_lineage_are_among_the_steps():
    from penstock.core import Edge, StepRunRecord, StepState
    from penstock.execution.step._lineage import step_edges

    class Value:
        def lineage_edges(self, artifact):
            return [
                Edge("source:rides", artifact, "source"),
                Edge(artifact, "version:m@1", "version"),
            ]

    record = StepRunRecord("s", "r", "read", 0, StepState.FINISHED, outputs={"result": "sha256:1"})
    edges = {
        (e.source, e.target, e.role)
        for e in step_edges(record, record.outputs, {"result": Value()})
    }
    assert ("source:rides", "artifact:sha256:1", "source") in edges
    assert ("artifact:sha256:1", "version:m@1", "version") in edges
