"""Tables a newcomer may bring: odd names, empty columns, few rows; many are in tests/scaffolding."""

import random

import pytest


def write(path, header, rows):
    lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def rows_of(count, make, seed=0):
    generator = random.Random(seed)
    return [make(generator, index) for index in range(count)]


def two_names(generator, _):
    a, b = generator.gauss(0, 1), generator.gauss(0, 1)
    return [f"{a:.4f}", f"{b:.4f}", int(a + b + generator.gauss(0, 0.3) > 0)]


def odd_names(generator, _):
    a = generator.gauss(0, 1)
    return [f"{a:.4f}", generator.choice("xyz"), "", f"{3 * a + generator.gauss(0, 1):.4f}"]


CASES = {
    "duplicated-names": (["a", "a", "y"], rows_of(300, two_names), "y"),
    "spaces-and-empty": (
        ["first value", "the kind (raw)", "nothing", "y out"],
        rows_of(300, odd_names),
        "y out",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_an_odd_table_runs_as_written(shell, case):
    header, rows, target = CASES[case]
    path = write(shell.folder / "table.csv", header, rows)
    made = shell("new", case, "--data", path, "--target", target, "--json").json
    run = shell("run", made["file"], "--json").json
    assert run["state"] == "finished"
    assert run["model_version"] == f"{case}@1"


@pytest.mark.slow
def test_three_rows_end_in_a_model_or_a_sentence(shell):
    path = write(shell.folder / "tiny.csv", ["a", "y"], [[1, 0], [2, 1], [3, 1]])
    made = shell("new", "tiny", "--data", path, "--target", "y", "--json").json
    answer = shell("run", made["file"], "--json", code=None)
    assert answer.code in {0, 1, 3}
    assert answer.json["state"] in {"finished", "failed"}
    if answer.json["state"] == "failed":
        errors = [step["error"] for step in answer.json["steps"] if step.get("error")]
        assert any("row" in error for error in errors)
