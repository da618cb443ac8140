"""An export to MLflow: the real client reads penstock's runs from a server of MLflow's protocol."""

import pytest

import penstock as ps
from penstock.core import NotFoundError
from penstock.server.mlflow.moving import export_runs


@pytest.mark.slow
def test_runs_are_written_once_and_read_by_the_real_client(store, server, client, tmp_path):
    (tmp_path / "plot.txt").write_text("a plot")
    with ps.start_run(experiment="exported", name="base", store=store) as run:
        run.log_params({"lr": 0.1, "deep": True})
        for step in range(2500):
            run.log_metric("loss", 1 / (step + 1), step=step)
        run.log_metric("half", 1.0, step=0.5)
        run.set_tags({"team": "risk"})
        run.log_artifact(str(tmp_path / "plot.txt"))
    store.flush()
    done = export_runs([run.run_id], to=server.url, store=store)
    there = done.runs[run.run_id]
    assert (done.points, done.unchanged) == (2500, 0)
    assert any("fractions of steps" in line for line in done.lost)
    again = export_runs(["last"], to=server.url, store=store)
    assert (again.runs, again.unchanged, again.points) == ({run.run_id: there}, 1, 0)
    found = client(
        """
run = client.get_run(run_id)
history = client.get_metric_history(run_id, "loss")
result = {
    "name": run.info.run_name, "status": run.info.status, "params": run.data.params,
    "team": run.data.tags["team"], "last": run.data.metrics["loss"],
    "points": [(p.step, p.value) for p in history] == [(s, 1 / (s + 1)) for s in range(2500)],
    "text": mlflow.artifacts.load_text(run.info.artifact_uri + "/plot.txt"),
    "experiment": client.get_experiment(run.info.experiment_id).name,
    "start": run.info.start_time,
}
""",
        run_id=there,
    )
    record = store.metadata.runs.get(run.run_id)
    assert found == {
        "name": "base",
        "status": "FINISHED",
        "params": {"lr": "0.1", "deep": "True"},
        "team": "risk",
        "last": 1 / 2500,
        "points": True,
        "text": "a plot",
        "experiment": "exported",
        "start": int(record.started_at.timestamp() * 1000),
    }


def test_an_unknown_run_is_refused_before_anything_is_written(store):
    with pytest.raises(NotFoundError):
        export_runs(["nothing"], to="http://127.0.0.1:9", store=store)
