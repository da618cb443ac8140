"""penstock predict: the batch's facts as text and as JSON; mistakes are errors with a fix."""

import json
from pathlib import Path

import polars as pl
from click.testing import CliRunner
from sklearn.dummy import DummyClassifier

from penstock.cli import cli
from penstock.models import Model
from penstock.registry import Registry
from penstock.stores import open_store


def test_a_batch_is_predicted_from_the_command_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/penstock.db"
    frame = pl.DataFrame({"age": [20, 60, 70]})
    estimator = DummyClassifier().fit(frame, ["no", "yes", "yes"])
    with open_store(url) as store:
        Registry(store=store).register("churn", Model.of(estimator, frame))
    pl.DataFrame({"id": ["a", "b"], "age": ["30", "old"]}).write_csv(tmp_path / "new.csv")
    out = tmp_path / "out.csv"
    arguments = [
        "--store",
        url,
        "predict",
        "churn@1",
        "--data",
        f"{tmp_path}/new.csv",
        "--out",
        str(out),
        "--json",
    ]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["predicted"], found["refused"], found["version"]) == (1, 1, "churn@1")
    again = CliRunner().invoke(cli, arguments)
    assert again.exit_code == 1
    assert "overwrites no file" in again.output
