"""PipelineSpec: what a run records of its pipeline, and what older runs have recorded."""

import json
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from penstock.pipelines import (
    ArgumentSpec,
    OptionsSpec,
    Partitions,
    PipelineSpec,
    Resources,
    Retry,
    pipeline,
    step,
)


@step(source=True)
def read(place: str) -> int:
    return 1


@step
def parts(x: int, *, options: dict | None = None) -> tuple[int, str]:
    return x, ""


@step(effect=True)
def send(models: list, thing: object = None) -> None: ...


@pipeline
def described(depth: int = 3):
    """Shows everything.

    And more.
    """
    a, b = parts(read("somewhere"), options={"depth": depth, "long": "x" * 500})
    send([a, b], thing=object())
    return {"a": a}


def test_the_spec_is_plain_json_with_names_types_edges_and_positions():
    spec = PipelineSpec.of(described.trace(depth="5")).to_json()
    assert json.loads(json.dumps(spec)) == spec
    assert spec["version"] == 3
    assert (spec["name"], spec["description"]) == ("described", "Shows everything.")
    assert spec["parameters"] == {"depth": {"value": 5}}
    assert spec["outputs"] == {"result[a]": "parts.0"}
    by_name = {node["name"]: node for node in spec["nodes"]}
    assert by_name["read"]["source"]
    assert by_name["send"]["effect"]
    assert by_name["parts"]["outputs"] == ["0", "1"]
    assert by_name["parts"]["function"].endswith(":parts")
    assert by_name["parts"]["file"].endswith("tests/pipelines/test_spec.py")
    assert by_name["read"]["line"] == by_name["parts"]["line"] == by_name["send"]["line"] - 1
    assert by_name["send"]["arguments"] == {
        "models": {"text": "[parts.0, parts.1]"},
        "thing": {"text": "<object object>"},
    }
    assert by_name["parts"]["arguments"]["x"] == {"output": "read"}
    options = by_name["parts"]["arguments"]["options"]
    assert options == {"value": {"depth": 5, "long": "x" * 500}}
    assert spec["edges"] == [
        {"from": "read", "to": "parts", "output": "result", "argument": "x"},
        {"from": "parts", "to": "send", "output": "0", "argument": "models[0]"},
        {"from": "parts", "to": "send", "output": "1", "argument": "models[1]"},
    ]


def test_two_traces_give_one_spec():
    assert PipelineSpec.of(described.trace()) == PipelineSpec.of(described.trace())


def test_a_spec_comes_back_from_its_json():
    spec = PipelineSpec.of(described.trace())
    assert PipelineSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert PipelineSpec.from_json(None).steps == ()


def test_the_spec_of_an_older_run_is_read():
    """As penstock 0.1.0 wrote it: no version, and each argument a shortened text."""
    old = {
        "name": "job",
        "description": "",
        "parameters": {"depth": "3"},
        "outputs": {"result": "train"},
        "nodes": [
            {
                "name": "train", "function": "job:train", "file": "job.py", "line": 9,
                "arguments": {"rows": "load", "depth": "3"}, "outputs": ["result"],
                "effect": False, "source": False, "cache_for": 60.0,
            },
        ],
        "edges": [{"from": "load", "to": "train", "output": "result", "argument": "rows"}],
        "resumed_at": "2026-01-31T00:00:00+00:00",
    }  # fmt: skip
    spec = PipelineSpec.from_json(old)
    assert (spec.version, spec.steps[0].cache_for) == (0, 60.0)
    assert {name: each.text for name, each in spec.steps[0].arguments.items()} == {
        "rows": "load",
        "depth": "3",
    }
    assert (spec.edges[0].source, spec.edges[0].target) == ("load", "train")
    assert spec.resumed_at == "2026-01-31T00:00:00+00:00"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(PLAIN)
def test_a_value_is_recorded_exactly_or_as_text(value):
    recorded = ArgumentSpec.of(value)
    back = ArgumentSpec.from_json(json.loads(json.dumps(recorded.to_json(), allow_nan=False)))
    assert back == recorded
    assert recorded.kind == "text" or back.content == value
    assert len(back.text) <= 200


def test_what_json_has_not_exactly_is_recorded_as_text():
    for value in ((1, 2), {1: 2}, float("nan"), 2**60, "\0", "\ud800", "x" * 3_000, {1, 2}):
        recorded = ArgumentSpec.of(value)
        assert recorded.kind == "text"
        json.dumps(recorded.to_json()).encode()


def test_the_rounds_of_a_loop_are_read_in_every_version():
    old = {"version": 1, "nodes": [{"name": "better", "each": "rate", "at_most": 8}]}
    [loop] = PipelineSpec.from_json(old).steps
    assert (loop.max_rounds, loop.to_json()["max_rounds"]) == (8, 8)
    assert PipelineSpec.from_json({"version": 2, "nodes": [loop.to_json()]}).steps == (loop,)


@step(
    retries=Retry(2, delay="5s", backoff=3, max_delay="1min", retry_on=(OSError,)),
    timeout="10m",
    resources=Resources(cpu=2, gpu=1, memory="8GiB"),
    concurrency_limit="warehouse",
)
def heavy(x: int) -> int:
    return x


@pipeline(partitions=Partitions.daily("2026-01-01"))
def nightly(since: date, cutoff: date, rate=0.5):
    heavy(1)


def test_what_orchestrators_need_is_recorded_and_read_again():
    spec = PipelineSpec.of(nightly.trace(since="2026-01-01", cutoff="2026-01-02"))
    spec = spec.of_pipeline(nightly)
    document = json.loads(json.dumps(spec.to_json()))
    assert document["nodes"][0]["options"] == {
        "max_retries": 2, "delay_s": 5.0, "backoff": 3.0, "max_delay_s": 60.0,
        "retry_on": ["builtins.OSError"], "timeout_s": 600.0, "cpu": 2, "gpu": 1,
        "memory": "8GiB", "concurrency_limit": "warehouse",
    }  # fmt: skip
    assert document["signature"]["since"] == {"type": "date", "required": True}
    assert document["signature"]["rate"] == {"type": "float", "required": False}
    assert document["partitions"]["unit"] == "day"
    assert PipelineSpec.from_json(document) == spec


def test_options_of_records_before_version_3_count_as_not_given():
    [old] = PipelineSpec.from_json({"version": 2, "nodes": [{"name": "train"}]}).steps
    assert old.options == OptionsSpec()
    assert "options" not in old.to_json()
