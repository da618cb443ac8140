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
        run.log_image("picture", np.zeros((40, 50)), caption=EVIL)
        run.log_audio(EVIL, np.zeros(4000), rate=8000)
        run.log_histogram("weights", np.arange(100), step=3)

    run, page = shown(work)
    kept = run.store.metadata.artifacts.list(run.run_id)
    for name, kind, media in (("picture", "image", "image/png"), (EVIL, "audio", "audio/wav")):
        answer = client.get(f"/artifacts/{kept[name].digest}/{kind}")
        assert answer.headers["content-type"] == media
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<audio controls" in page
    assert "weights@3" in page
    assert EVIL not in page


def test_a_sound_is_served_only_if_its_bytes_are_one(shown, client):
    run, _ = shown(lambda run: run.log_text("page.wav", f"{EVIL}" * 200))
    [record] = run.store.metadata.artifacts.list(run.run_id).values()
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
    assert "--unarchive" in client.get(f"/runs/{fork.run_id}").text
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


def test_a_name_over_several_steps_is_one_series_with_a_slider(shown):
    def work(run):
        for step in (20, 0.5, 3):
            run.log_image("sample", np.full((4, 4), step / 20), step=step)
            run.log_histogram("weights", np.arange(10) * step, step=step)

    _, page = shown(work)
    media = page[page.index('id="media"') :]
    assert media.count("data-series") == 2
    assert [media.index(f'data-step="step {step}"') for step in ("0.5000", "3", "20")] == sorted(
        media.index(f'data-step="step {step}"') for step in ("0.5000", "3", "20")
    )
    assert media.count('max="3" value="3"') == 2
    assert "weights over its steps" in media


def test_tables_and_texts_are_shown_inert(shown, client):
    def work(run):
        run.log_table("rows", [{"a": EVIL, "b": number} for number in range(50)])
        run.log_text("notes", f"# Title\n\n{EVIL}", markup="markdown")
        run.log_text("source", EVIL, markup="html")

    run, page = shown(work)
    assert "8 of 50 rows" in page
    assert "<h1>Title</h1>" in page
    assert EVIL not in page
    kept = run.store.metadata.artifacts.list(run.run_id)
    whole = client.get(f"/artifacts/{kept['rows'].digest}?name=rows&run={run.run_id}").text
    assert whole.count("<tr>") > 50
    assert "50 rows" in whole
    assert EVIL not in whole
    facts = client.get(f"/artifacts/{kept['rows'].digest}?format=json").json()
    assert facts["content"]["columns"] == [["a", "String"], ["b", "Int64"]]


@pytest.mark.parametrize(
    "frame", ["polars.DataFrame", "polars.Series", "pandas.DataFrame", "pandas.Series"]
)
def test_frames_of_all_kinds_are_shown(shown, frame):
    package, _, kind = frame.partition(".")
    made = getattr(pytest.importorskip(package), kind)
    values = [1.5, 2.5] if kind == "Series" else {"x": [1.5, 2.5]}
    _, page = shown(lambda run: run.log_artifact(made(values), name="rows"))
    assert ">2.5</td>" in page


def test_what_cannot_be_shown_says_why(shown, client, monkeypatch):
    run, _ = shown(lambda run: run.log_artifact({"a": [1, 2]}, name="settings"))
    [record] = run.store.metadata.artifacts.list(run.run_id).values()
    assert "&#34;a&#34;: [" in client.get(f"/artifacts/{record.digest}").text
    monkeypatch.setattr("penstock.server.ui._content.MOST_BYTES", 1)
    assert client.get(f"/artifacts/{record.digest}").status_code == 200
    missing = client.get("/artifacts/sha256:none")
    assert missing.status_code == 404
    assert "penstock gc" in missing.text


def test_experiments_are_listed_filtered_and_ordered(store, client, fill_runs):
    fill_runs(store, 3)
    for name, runs in (("small", 1), ("large", 4)):
        for _ in range(runs):
            with start_run("r", store=store, experiment=name):
                pass
    store.metadata.runs.update_experiment("large", note=f"the second {EVIL}")
    page = client.get("/experiments?sort=runs+desc").text
    assert page.index(">large<") < page.index(">small<")
    assert "the second &lt;script&gt;" in page
    assert EVIL not in page
    assert ">small<" not in client.get("/experiments?filter=runs+>+1").text
    wrong = client.get("/experiments?filter=nonsense+>+1")
    assert wrong.status_code == 400
    assert "^" in wrong.text


def test_many_experiments_come_in_pages(store, client, monkeypatch):
    monkeypatch.setattr("penstock.server.ui._experiments._PER_PAGE", 2)
    for number in range(5):
        with start_run("r", store=store, experiment=f"e{number}"):
            pass
    seen, address = [], "/experiments?sort=name"
    while address:
        page = client.get(address).text
        seen += [name for name in (f"e{n}" for n in range(5)) if f">{name}<" in page]
        _, found, rest = page.partition('rel="next" href="')
        address = rest.partition('"')[0].replace("&amp;", "&") if found else ""
    assert seen == [f"e{n}" for n in range(5)]
