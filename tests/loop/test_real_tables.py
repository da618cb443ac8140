"""On tables nobody prepared: new, run, promote, serve, a real HTTP prediction, verify."""

import csv
from pathlib import Path

import pytest
from tests.hunting import HUNTING, length

ROWS = length(5_000, 1_000_000)

ADULT = (
    "age,workclass,fnlwgt,education,education_num,marital_status,occupation,relationship,race,sex,"
    "capital_gain,capital_loss,hours_per_week,native_country,income"
)

TABLES = {
    # Classification with time, groups and missing values.
    "taxi": (
        "chicago_taxi_trips.csv",
        "payment_type",
        ["--time", "trip_start_timestamp", "--group", "company"],
    ),
    # Regression with a date and an hour column, and two columns that add up to the target.
    "bikes": ("bike_sharing_hour.csv", "cnt", ["--time", "dteday"]),
    # No header, "?" for missing, fairness by sex and race.
    "income": ("adult_train.csv", "income", ["--no-header", "--columns", ADULT]),
    # No time column.
    "prices": ("elec2.csv", "class", []),
    # Regression with groups, time, and "NA" for missing.
    "weather": ("nyc_weather_2013.csv", "temp", ["--time", "time_hour", "--group", "origin"]),
}


def first_row(path: Path, columns: list[str] | None) -> dict[str, object]:
    """A row of the file as JSON values, the way a client would have it."""
    with path.open(encoding="utf-8") as file:
        reader = csv.DictReader(file, fieldnames=columns, skipinitialspace=True)
        rows = [row for row, _ in zip(reader, range(300), strict=False)]
    row = rows[-1]
    return {name: plain(value) for name, value in row.items()}


def plain(text: str) -> object:
    if text in {"", "?", "NA"}:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def thinned(path: Path, folder: Path, *, header: bool) -> Path:
    """Keep every n-th row, in order, so that about ROWS are left."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    head, rows = (lines[:1], lines[1:]) if header else ([], lines)
    kept = folder / path.name
    kept.write_text("".join([*head, *rows[:: -(-len(rows) // ROWS)]]), encoding="utf-8")
    return kept


@pytest.mark.slow
@pytest.mark.hunt
@pytest.mark.parametrize("name", TABLES if HUNTING else ["taxi", "bikes"])
def test_the_whole_loop_on_a_real_table(shell, real_table, name):
    file, target, options = TABLES[name]
    path = thinned(real_table(file), shell.folder, header=name != "income")
    made = shell("new", name, "--data", path, "--target", target, *options, "--json").json
    assert Path(made["file"]).exists()

    run = shell("run", made["file"], "--json").json
    assert run["state"] == "finished"
    assert run["model_version"] == f"{name}@1"

    proof = shell("verify", run["run_id"], "--json").json
    assert proof["verdict"] == "bitwise"
    assert proof["first_difference"] is None

    promoted = shell("promote", name, "--json").json
    assert promoted["stage"] == "production"
    assert {gate["state"] for gate in promoted["gates"]} == {"passed"}

    with shell.serving(name) as client:
        inputs = {field["name"] for field in client.get(f"/v2/models/{name}").json()["inputs"]}
        columns = ADULT.split(",") if name == "income" else None
        row = {k: v for k, v in first_row(path, columns).items() if k in inputs}
        reply = client.post(f"/models/{name}/predict", json={"rows": [row]})
        assert reply.status_code == 200, reply.text
        answer = reply.json()["predictions"][0]
    assert answer["version"] == 1

    traced = shell("lineage", answer["prediction_id"], "--json").json
    assert traced["run_id"] == run["run_id"]
    assert traced["sources"][0]["rows"] > 1000
