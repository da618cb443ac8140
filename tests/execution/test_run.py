"""run: what is checked before anything runs, what is recorded, what comes back."""

import random

import pytest

from penstock.core import (
    DefinitionError,
    NotFoundError,
    ParameterError,
    RunState,
    StepError,
    StepState,
    to_json,
)
from penstock.execution import RunOptions, run_pipeline
from penstock.tracking import active_run, start_run

CHAIN = """
@ps.step
def first(start: int) -> int:
    note("first")
    return start + 1


@ps.step
def second(x: int) -> tuple[int, str]:
    note("second")
    return x * 2, "two"


@ps.pipeline
def job(start: int = 1):
    number, text = second(first(start))
    return {"number": number, "texts": [text]}
"""


def test_a_run_gives_its_result_and_is_recorded(project):
    result = project.run(CHAIN, start="4", seed=3, name="try", experiment="e", tags={"team": 7})
    assert result.ok
    assert result.output() == {"number": 10, "texts": ["two"]}
    assert result.output("first") == result.step_output("first") == 5
    assert result.step_output("second") == (10, "two")
    assert result.step_output("second", "1") == "two"
    record = project.store.metadata.runs.get(result.run_id)
    assert (record.state, record.params, record.seed) == (RunState.FINISHED, {"start": 4}, 3)
    assert (record.name, record.experiment, record.tags) == ("try", "e", {"team": "7"})
    assert (record.pipeline, record.entry, record.attempt) == ("job", "job.py:job", 1)
    assert record.ended_at >= record.started_at
    assert record.user
    assert [node["name"] for node in record.graph["nodes"]] == ["first", "second"]


NAMED = """
@ps.step
def greet(name: str) -> str:
    return f"hello {name}"


@ps.pipeline
def job(name: str = "nobody"):
    return greet(name)
"""


def test_a_parameter_called_name_takes_the_value_and_the_run_has_the_name_of_the_pipeline(project):
    result = project.run(NAMED, name="Ada")
    record = project.store.metadata.runs.get(result.run_id)
    assert (result.output(), record.params, record.name) == ("hello Ada", {"name": "Ada"}, "job")
    assert project.run(NAMED).output() == "hello nobody"
    # A caller with the parameters in a mapping, as the web UI, sets both.
    both = run_pipeline("job.py:job", {"name": "Eve"}, RunOptions(name="try", store=project.store))
    record = project.store.metadata.runs.get(both.run_id)
    assert (both.output(), record.name) == ("hello Eve", "try")


def test_the_json_form_is_the_one_that_was_promised(project):
    result = project.run(CHAIN)
    document = result.to_json()
    record = project.store.metadata.runs.get(result.run_id)
    assert {"run_id", "state", "params", "metrics", "seed"} <= set(document)
    assert document == {**to_json(record), **{n: document[n] for n in ("steps", "model_version")}}
    assert (document["state"], document["model_version"]) == ("finished", None)
    for step in document["steps"]:
        assert {"name", "state", "seconds", "key", "outputs", "kept"} <= set(step)
        assert step["key"].startswith("sha256:")
        assert all(digest.startswith("sha256:") for digest in step["outputs"].values())
    assert list(document["steps"][1]["outputs"]) == ["0", "1"]


def test_defaults_name_run_and_experiment_after_the_pipeline(project):
    record = project.store.metadata.runs.get(project.run(CHAIN).run_id)
    assert (record.name, record.experiment, record.seed) == ("job", "job", 0)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"start": "three"}, ParameterError, "'three'"),
        ({"stat": 1}, ParameterError, "Did you mean 'start'"),
        ({"runner": "locl"}, ParameterError, "Did you mean 'local'"),
        ({"refresh": ["frist"]}, NotFoundError, "Did you mean 'first'"),
        ({"seed": -1}, ParameterError, "seed"),
        ({"seed": "x"}, ParameterError, "seed"),
        ({"experiment": "a/b"}, ParameterError, "'a-b'"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_recorded(project, options, error, words):
    with pytest.raises(error, match=words):
        project.run(CHAIN, **options)
    assert project.store.metadata.runs.count() == 0
    assert project.calls == []


def test_a_wrong_body_is_refused_before_anything_is_recorded(project):
    with pytest.raises(DefinitionError):
        project.run("@ps.pipeline\ndef job():\n    return 3\n")
    assert project.store.metadata.runs.count() == 0


def test_a_pipeline_can_be_named_by_its_file_and_a_store_by_its_url(project):
    project.write(CHAIN)
    from penstock.execution import QuietReporter, run

    result = run("job.py", store=project.store.url, reporter=QuietReporter())
    assert result.output("first") == 2


def test_params_can_be_a_mapping(project):
    from penstock.execution import QuietReporter, RunOptions

    pipeline = project.load(CHAIN)
    options = RunOptions(store=project.store, reporter=QuietReporter())
    result = run_pipeline(pipeline, pipeline.bind({"start": "7"}), options)
    assert result.output("first") == 8


def test_the_callers_generators_are_left_alone(project):
    random.seed(1)
    expected = random.random()
    random.seed(1)
    project.run(CHAIN)
    assert random.random() == expected


def test_seeds_repeat_per_run_seed_and_differ_per_step(project):
    body = """
    import random

    @ps.step(cache=False)
    def draw() -> float:
        return random.random()

    @ps.pipeline
    def job():
        return draw(), draw()
    """
    first, again, other = project.run(body), project.run(body), project.run(body, seed=1)
    assert first.output() == again.output() != other.output()
    assert len(set(first.output())) == 2


def test_a_run_inside_another_is_its_child(project):
    with start_run("outer", store=project.store) as outer:
        result = project.run(CHAIN)
        assert active_run() is outer
    assert project.store.metadata.runs.get(result.run_id).parent_run_id == outer.run_id


def test_steps_can_log_to_their_run(project):
    result = project.run("""
    @ps.step
    def train() -> int:
        from penstock.tracking import current_step
        ps.log_metric("auc", 0.9)
        ps.log_param("depth", 3)
        assert current_step().step == "train"
        return current_step().seed

    @ps.pipeline
    def job():
        return train()
    """)
    record = project.store.metadata.runs.get(result.run_id)
    assert record.metrics["auc"].last == 0.9
    assert record.params == {"depth": 3}
    assert project.steps(result.run_id)["train"].seed == result.output()


def test_results_that_are_not_there_are_explained(project):
    result = project.run(CHAIN.replace("return start + 1", "return 1 / 0"))
    with pytest.raises(StepError, match=r"has no output: it is failed.*--resume"):
        result.output("first")
    with pytest.raises(StepError, match="it is skipped"):
        result.output()
    with pytest.raises(NotFoundError, match="Did you mean 'second'"):
        result.output("secnd")
    good = project.run(CHAIN)
    with pytest.raises(NotFoundError, match="no output '7'"):
        good.step_output("second", "7")


def test_a_registered_version_is_told_with_its_gates(project):
    result = project.run("""
    from penstock.core import GateResult, GateState
    from penstock.registry import ModelVersion
    from penstock.testing._records import a_version

    @ps.step(effect=True)
    def register():
        note("register")
        run = ps.active_run()
        gates = (GateResult("auc > 1", GateState.FAILED, "it is 0.9"),)
        version = a_version(model="m", run_id=run.run_id, gates=gates)
        return ModelVersion.from_record(run.store.metadata.models.create_version(version, actor="me"))

    @ps.step
    def broken(version):
        return 1 / 0

    @ps.pipeline
    def job():
        return broken(register())
    """)
    assert (result.model_version, result.refused) == ("m@1", True)
    assert result.state is RunState.FAILED
    assert project.calls == ["register"]
    edges = project.store.metadata.artifacts.list_edges("version:m@1", direction="up")
    assert any(edge.source == f"run:{result.run_id}" for edge in edges)
    again = project.again(None, resume=result.run_id)
    assert (again.model_version, again["register"].state) == ("m@1", StepState.FINISHED)
    assert project.calls == [], "an effect that has happened is not repeated"


def test_what_items_of_a_map_logged_is_there_when_the_map_is_reused(project):
    body = """
    @ps.step
    def score(c: float) -> float:
        ps.log_metric(f"score_{c}", c)
        ps.log_metric("curve", c, step=int(c))
        return c


    @ps.pipeline
    def inner(cs):
        return ps.map(score, cs)


    @ps.pipeline
    def job():
        ps.map(inner, {"low": [1.0, 2.0], "high": [3.0]})
        return ps.map(score, [1.0, 2.0, 3.0], name="flat")
    """
    first = project.run(body)
    again = project.run(body)
    assert {step.state for step in again.steps} == {StepState.CACHED}
    kept = [project.store.metadata.runs.get(run.run_id).metrics for run in (first, again)]
    assert sorted(kept[1]) == sorted(kept[0]) == ["curve", "score_1.0", "score_2.0", "score_3.0"]
    assert [kept[1][key].last for key in sorted(kept[1])[1:]] == [1.0, 2.0, 3.0]


def test_what_is_no_pipeline_is_refused_by_its_name(project):
    with pytest.raises(ParameterError, match=r"got 'print'.*@ps\.pipeline"):
        run_pipeline(print, {}, RunOptions(store=project.store))  # type: ignore[arg-type]  # on purpose
