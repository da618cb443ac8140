"""Workers, shards and torch's switches of a step: in JSON, on the command line, on the run's page."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from litestar.testing import TestClient

import penstock as ps
from penstock.cli import cli
from penstock.execution import QuietReporter, training_facts
from penstock.server import create_ui
from penstock.stores import open_store

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'penstock[torch]'")


@ps.step(deterministic=False)
def fast() -> float:
    return float(torch.ones(3).sum())


@ps.step
def exact(value: float) -> float:
    torch.backends.cudnn.benchmark = True
    return float(torch.ones(2).sum() + value)


@ps.pipeline
def trained() -> float:
    return exact(fast())


def test_switches_and_their_price_are_told_everywhere(tmp_path):
    url = f"sqlite:///{tmp_path}/penstock.db"
    with open_store(url) as store:
        result = ps.run(trained, store=store, reporter=QuietReporter())
        by_step = {each["name"]: each.get("training") for each in result.to_json()["steps"]}
        assert by_step["fast"]["deterministic"] is False
        assert "may return other bits" in by_step["fast"]["price"]
        assert by_step["exact"]["deterministic"] is True
        assert "not measured for this step" in by_step["exact"]["price"]
        assert by_step["exact"]["switched"] == ["cudnn.benchmark=True"]
        asked = CliRunner().invoke(cli, ["--store", url, "show", "last", "--json"])
        steps = {each["name"]: each["training"] for each in json.loads(asked.stdout)["steps"]}
        assert steps == by_step
        text = CliRunner().invoke(cli, ["--store", url, "show", "last"]).output
        assert "deterministic=False: none; a second execution" in " ".join(text.split())
        assert "cudnn.benchmark=True" in text
        with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
            page = client.get(f"/runs/{result.run_id}").text
            assert page.count("deterministic kernels</span>") == 2
            assert "their price" in page
            twin = client.get(f"/runs/{result.run_id}?format=json").json()
            assert twin["steps"][0]["training"] == by_step[twin["steps"][0]["name"]]


def test_workers_and_shards_are_those_declared_and_used(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        result = ps.run(trained, store=store, reporter=QuietReporter())
        record = replace(result.steps[0], facts={"key_parts": {}})
    assert training_facts(record) == {}
    used = {"workers": 4, "shards": 8, "tree": 1, "threads": 1, "processor": "x"}
    found = training_facts(replace(record, facts={"distributed": used}))
    assert (found["workers"], found["shards"], found["threads"]) == (4, 8, 1)
    assert found["mode"].startswith("logical shards")
    declared = {"key_parts": {"workers": {"count": 2, "threads": 1}}}
    found = training_facts(replace(record, facts=declared))
    assert found["workers"] == 2
    assert "results depend on it" in found["mode"]
    assert "shards" not in found
