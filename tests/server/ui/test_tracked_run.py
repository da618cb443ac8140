"""The page of a tracked run shows what was logged to be looked at, and what became of the run."""

import numpy as np
import pytest

from penstock.tracking import start_run

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def shown(store, client):
    def show(work):
        with start_run("outer", store=store, group="folds") as run:
            work(run)
        return run, client.get(f"/runs/{run.run_id}").text

    return show


def test_pictures_sounds_and_histograms_are_shown(shown, client):
    def work(run):
        run.log_image(np.zeros((40, 50)), "picture", caption=EVIL)
        run.log_audio(np.zeros(4000), EVIL, rate=8000)
        run.log_histogram(np.arange(100), "weights", step=3)

    run, page = shown(work)
    kept = run.store.metadata.list_artifacts(run.run_id)
    for name, kind, media in (("picture", "image", "image/png"), (EVIL, "audio", "audio/wav")):
        answer = client.get(f"/artifacts/{kept[name].digest}/{kind}")
        assert answer.headers["content-type"] == media
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<audio controls" in page
    assert "weights@3" in page
    assert EVIL not in page


def test_a_sound_is_served_only_if_its_bytes_are_one(shown, client):
    run, _ = shown(lambda run: run.log_artifact(f"{EVIL}" * 200, name="page.wav"))
    [record] = run.store.metadata.list_artifacts(run.run_id).values()
    assert client.get(f"/artifacts/{record.digest}/audio").status_code == 404
    assert client.get(f"/artifacts/{record.digest}/image").status_code == 404


def test_the_console_is_shown_and_inert(shown):
    _, page = shown(lambda _: print("epoch 1", EVIL))
    assert "epoch 1 &lt;script&gt;" in page
    assert EVIL not in page


def test_group_nested_runs_forks_and_the_end_of_a_run_are_shown(shown, store, client):
    def work(run):
        run.log_metric("loss", 1.0)
        with start_run("inner", store=store, nested=True):
            pass

    run, page = shown(work)
    assert "Nested runs" in page
    assert ">inner</a>" in page
    assert ">folds</a>" in page
    with start_run("fork", store=store, fork=run.run_id, at_step=3) as fork:
        pass
    assert f"{run.run_id}</a> at step 3" in client.get(f"/runs/{fork.run_id}").text
    fork.edit(archived=True)
    assert "--not-archived" in client.get(f"/runs/{fork.run_id}").text
    assert fork.run_id not in client.get("/runs").text
    fork.delete()
    assert "penstock restore" in client.get(f"/runs/{fork.run_id}").text


def test_the_machines_state_stands_apart_from_the_metrics(shown):
    def work(run):
        for step in range(3):
            run.log_metrics({"system/cpu_percent": step, "loss": 1.0}, step=step)

    _, page = shown(work)
    table = page[page.index('id="metrics-card"') : page.index('id="metric-charts"')]
    assert "loss" in table
    assert "cpu_percent" not in table
    assert "cpu_percent" in page


def test_very_many_runs_are_counted_up_to_a_bound(store, client, fill_runs, monkeypatch):
    monkeypatch.setattr("penstock.server.ui._runs._COUNTED", 5)
    fill_runs(store, 8)
    page = client.get("/runs?limit=4").text
    assert 'id="total">5+' in page
    assert ">Next</a>" in page
    assert ">Next</a>" not in client.get("/runs?limit=4&page=3").text
