"""Pages say nothing false: what failed is marked, what is not known is not called good."""

import time
from dataclasses import replace

import pytest
from litestar.testing import TestClient

from penstock.core import (
    DeploymentEvent,
    DeploymentRecord,
    DeploymentState,
    ModelVersionRecord,
    ReportRecord,
    RunRecord,
    RunState,
    Stage,
    now,
)
from penstock.server.ui import create_ui
from penstock.server.ui._deployments import performance_rows, performance_verdict, verdict
from penstock.server.ui._run import again_command
from penstock.stores import open_store
from penstock.tables import Column
from penstock.tracking import start_run


def run_record(**more) -> RunRecord:
    plain = {"run_id": "r1", "name": "r", "experiment": "e", "pipeline": None, "entry": None}
    plain |= {"state": RunState.FINISHED, "seed": 0, "attempt": 1, "parent_run_id": None}  # type: ignore[dict-item]
    return RunRecord(**{**plain, "created_at": now(), **more})


@pytest.mark.parametrize(
    ("run", "argv", "command"),
    [
        (
            {"pipeline": "p", "entry": "a b.py:p", "params": {"cutoff": None, "step_size": 2}},
            (),
            "penstock run 'a b.py:p' --step-size 2",
        ),
        (
            {"pipeline": "p", "entry": "f.py", "params": {"x": -1, "on": True, "k": ["a b"]}},
            (),
            """penstock run f.py --x=-1 --on true --k '["a b"]'""",
        ),
        ({"entry": "t.py"}, ("t.py", "--lr", "0.1 0.2"), "python t.py --lr '0.1 0.2'"),
        ({"entry": "t.py"}, (), ""),
        ({"entry": "t.py"}, ("t.py", "--token", "…"), ""),
        ({}, ("-c",), ""),
    ],
)
def test_the_command_that_runs_it_again_works(run, argv, command):
    assert again_command(run_record(**run), argv) == command


def test_too_few_labelled_rows_are_not_steady():
    assert performance_verdict({"watched": "auc", "metrics": {}}) == "cannot_tell"
    assert performance_verdict({"watched": "auc", "metrics": {"auc": {"value": 0.9}}}) == "steady"
    assert performance_verdict({"dropped": True}) == "drifted"
    few = {"watched": "auc", "metrics": {"auc": {"value": 0.9}}}
    assert performance_verdict({**few, "judged": False}) == "cannot_tell"
    assert (
        performance_verdict({**few, "reason": "Fewer than 50 truths are not judged."})
        == "cannot_tell"
    )


def test_an_interval_that_too_few_rows_give_is_not_shown():
    few = {"value": 0.96, "low": 0.5, "high": 0.99, "needs": "2 rows of class True, 10 are needed"}
    (row,) = performance_rows({"metrics": {"auc": few}, "registered": {"auc": few}})
    assert (row["now"]["value"], row["now"]["low"], row["then"]["high"]) == (0.96, None, None)


def test_every_list_of_deployments_says_that_a_check_cannot_tell(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        store.metadata.deployments.save(
            DeploymentRecord("d", "m", DeploymentState.LIVE, {1: 1.0}, 1, now()),
            expected_generation=None,
            event=DeploymentEvent("d", "deployed", "Version 1 answers all requests.", now()),
        )
        artifact = store.put({"headline": "Cannot tell."}).digest
        report = ReportRecord("r", "d", "m", 1, now(), False, artifact, {"verdict": "cannot tell"})
        store.metadata.deployments.add_report(report)
        with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
            for page in ("/deployments", "/deployments/d"):
                text = client.get(page).text
                assert "not enough rows" in text
                assert ">steady<" not in text


def test_training_ranges_of_times_are_times(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        day = Column("day", "date", "Date", minimum=1_293_840_000, maximum=1_344_297_600)
        code = Column("code", "integer", "Int64", minimum=10_000_001, maximum=99_999_999)
        signature = {"inputs": [day.to_json(), code.to_json()], "target": "y", "task": "regression"}
        form = ModelVersionRecord("m", 0, Stage.NONE, None, "ann", "sha256:a", "b", now())
        store.metadata.models.create_version(replace(form, signature=signature), actor="ann")
        with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
            text = client.get("/models/m").text
    assert "2011-01-01 to 2012-08-07" in text
    assert "10000001 to 99999999" in text


def test_a_check_that_cannot_tell_says_so():
    report = ReportRecord("r", "d", "m", 1, now(), False, "a", {"verdict": "cannot tell"})
    assert verdict(report) == "cannot_tell"
    assert verdict(replace(report, summary={})) == "steady"


def test_a_version_that_failed_its_canary_is_marked_and_not_offered(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        for _ in range(2):
            form = ModelVersionRecord("m", 0, Stage.NONE, None, "ann", "sha256:a", "b", now())
            store.metadata.models.create_version(form, actor="ann")
        message = "Version 2 failed 30 of 100 requests. Version 1 answers all requests."
        store.metadata.deployments.save(
            DeploymentRecord("canary", "m", DeploymentState.LIVE, {1: 1.0}, 1, now()),
            expected_generation=None,
            event=DeploymentEvent("canary", "rolled_back", message, now(), {"version": 2}),
        )
        with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
            assert "penstock promote m@1" in client.get("/models/m?version=1").text
            page = client.get("/models/m?version=2").text
            assert "penstock promote m@2" not in page
            assert "Version 2 was rolled back from" in page
            assert "failed 30 of 100 requests" in page
            assert page.count("is-rolled_back") >= 3  # in the list, on the version, in the history
            assert "is-rolled_back" in client.get("/models").text
            assert client.get("/models?filter=version > 0").text.count("is-rolled_back") == 1


def test_charts_beyond_those_drawn_are_counted_and_can_be_shown(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        with start_run("many", store=store) as run:
            for step in range(3):
                run.log_metrics({f"m{n:02}": step * n for n in range(40)}, step=step)
        with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
            page = client.get(f"/runs/{run.run_id}").text
            assert page.count('<figure class="chart') == 30
            assert "30 of 40 charts" in page
            assert page.count('class="spark"') == 40
            every = client.get(f"/runs/{run.run_id}?charts=all").text
            assert every.count('<figure class="chart') == 40
            assert "charts are drawn" not in every
            both = f"/compare?a={run.run_id}&b={run.run_id}"
            assert "12 of 40 charts" in client.get(both).text
            assert client.get(f"{both}&charts=all").text.count('<figure class="chart') == 40


def test_a_running_run_says_so_and_has_places_for_what_comes(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        run = start_run("live", store=store)
        with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
            page = client.get(f"/runs/{run.run_id}").text
            for wanted in ("running for", 'id="metric-charts"', 'id="more"', "charts.js"):
                assert wanted in page
            run.finish()
            time.sleep(0)
            assert ">took<" in client.get(f"/runs/{run.run_id}").text


@pytest.mark.parametrize("host", ["localhost:99999", "localhost:x", "localhost:", "localhost:-1"])
def test_a_port_that_none_can_have_is_refused(site, host):
    assert site.get("/runs", headers={"host": host}).status_code == 421


def test_no_page_has_a_style_of_its_own():
    from pathlib import Path

    from penstock.server import ui

    for template in Path(ui.__file__).parent.glob("templates/*.html"):
        assert " style=" not in template.read_text(), template.name


def test_a_page_beyond_the_last_one_does_not_say_that_there_are_no_runs(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        with start_run("only", store=store):
            pass
        with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
            page = client.get("/runs?page=9").text
            assert "beyond the last one of 1 run." in page
            assert "No runs yet" not in page
            assert "No runs yet" not in client.get("/runs").text
