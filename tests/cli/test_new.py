"""`penstock new`: a table becomes a pipeline."""


def test_new_writes_a_pipeline_that_runs(world):
    answer = world("new", "frauds", "--data", "payments", "--target", "fraud", "--time", "time",
                   "--json")  # fmt: skip
    assert set(answer.json) == {"folder", "file", "files", "expectations"}
    assert answer.json["files"][0] == answer.json["file"]
    ran = world("run", answer.json["file"], "--json")
    assert ran.json["model_version"] == "frauds@1"
    told = world("models", "frauds@1").out
    assert "✓ roc_auc > 0." in told  # too few frauds to test on for an interval
    assert "cannot be told" not in told


def test_new_tells_what_it_saw_and_what_to_do_next(world):
    out = world("new", "frauds", "--data", "payments", "--target", "fraud", "--time", "time").out
    assert out.startswith("frauds/")
    assert "(binary)" in out.splitlines()[0]
    assert "also written: test_frauds.py, README.md, .gitignore" in out
    assert "Next:  penstock run frauds/" in out
    answer = world("new", "other", "--data", "payments", "--target", "frad", code=2)
    assert "Did you mean 'fraud'?" in answer.err


def test_new_takes_names_for_a_file_without_a_header(world):
    rows = "\n".join(
        f"{i % 7 + i / 1000},{i % 3},{int(i % 7 + 2 * (i % 3) > 5)}" for i in range(400)
    )
    (world.folder / "bare.csv").write_text(rows + "\n")
    words = ("--data", "bare.csv", "--target", "y", "--no-header", "--columns", "a, b,y")
    made = world("new", "bare", *words, "--folder", "elsewhere", "--json").json
    assert "elsewhere" in made["folder"]
    assert world("run", made["file"], "--json").json["model_version"] == "bare@1"
