"""Runs are edited, deleted and brought back from the command line."""

from penstock.tracking import start_run


def make(shell, name="base"):
    with start_run(
        name, experiment="churn", store=str(shell.folder / ".penstock/penstock.db")
    ) as run:
        run.log_metric("auc", 0.9)
    return run.run_id


def test_a_run_is_edited_and_shows_it(shell):
    run_id = make(shell)
    (shell.folder / "note.md").write_text("# Why")
    answer = shell(
        "edit", run_id, "--name", "better", "--note", "@note.md", "--group", "folds",
        "--tag", "team=risk", "--tag", "x=1", "--json",
    ).json  # fmt: skip
    assert (answer["name"], answer["note"], answer["group"]) == ("better", "# Why", "folds")
    assert shell("edit", run_id, "--delete-tag", "x", "--json").json["tags"] == {"team": "risk"}
    shown = shell("show", run_id).out
    assert "better" in shown
    assert "group       folds" in shown
    assert "team=risk" in shown


def test_a_run_is_deleted_and_brought_back(shell):
    run_id = make(shell)
    assert shell("delete", run_id, "--json").json == {"deleted": [run_id]}
    assert shell("runs", "--json").json == []
    assert f"penstock restore {run_id}" in shell("show", run_id).out
    assert shell("restore", run_id, "--json").json == {"restored": [run_id]}
    assert len(shell("runs", "--json").json) == 1
    assert "None of these runs is deleted" in shell("restore", run_id).out


def test_mistakes_are_explained(shell):
    run_id = make(shell)
    assert "Write --tag team=risk" in shell("edit", run_id, "--tag", "team", code=2).err
    assert "cannot be read" in shell("edit", run_id, "--note", "@none.md", code=2).err
    assert "Name what to change" in shell("edit", run_id, code=2).err
    assert "There is no run" in shell("delete", "zzz", code=2).err


def test_pages_and_experiments_are_listed(shell):
    ids = [make(shell, f"r{place}") for place in range(3)]
    first = shell("runs", "--limit", "1", "--json").json
    rest = shell("runs", "--after", first[0]["run_id"], "--json").json
    assert [run["run_id"] for run in (*first, *rest)] == ids[::-1]
    [found] = shell("experiments", "runs >= 3", "--json").json
    assert (found["name"], found["runs"]) == ("churn", 3)
    assert "churn" in shell("experiments").out
    assert "No experiment matches" in shell("experiments", "runs > 9").out
    assert "There is no field" in shell("experiments", "metrics.auc > 1", code=2).err
    assert "No version matches" in shell("models", "--search", "stage = 'production'").out


def test_a_run_is_forked_at_a_step(shell):
    with start_run("base", store=str(shell.folder / ".penstock/penstock.db")) as run:
        run.log_history("loss", [3.0, 2.0, 1.0])
    made = shell("fork", run.run_id, "--at-step", "1", "--name", "cooler", "--json").json
    assert (made["forked_from"], made["forked_at"]) == (run.run_id, 1.0)
    shown = shell("show", made["run_id"]).out
    assert "cooler" in shown
    assert f"{run.run_id} at step 1" in shown
    assert 'resume="' in shell("fork", run.run_id).out
    assert "There is no run" in shell("fork", "zzz", code=2).err
