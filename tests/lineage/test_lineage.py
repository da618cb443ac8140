"""get_lineage: every form of subject, up and down, and what is not recorded."""

import shutil
import sys

import pytest

import penstock as ps
from penstock.core import Edge, NotFoundError, ParameterError, PredictionRecord, now
from penstock.demo import write_days
from penstock.execution import QuietReporter
from penstock.lineage import Lineage
from penstock.stores import open_store

JOB = """
import penstock as ps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

payments = ps.FileSource("payments", time="time")


@ps.step
def train(split: ps.Split) -> Pipeline:
    columns = ps.table_transformer(split.schema, scale=True)
    return make_pipeline(columns, LogisticRegression(max_iter=200)).fit(split.train.X, split.train.y)


@ps.pipeline
def fraud() -> ps.ModelVersion:
    rows = ps.steps.ingest(payments)
    split = ps.steps.split(rows, target="fraud", test=0.4, drop=["payment_id", "merchant", "time"])
    model = train(split)
    report = ps.steps.evaluate(model, split, resamples=20)
    return ps.steps.register("fraud", model, report)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project whose run has a version, deployed, that answered two rows."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").touch()
    write_days(folder / "payments", range(1))
    (folder / "job.py").write_text(JOB)
    with pytest.MonkeyPatch.context() as patch, open_store(url_in(folder)) as store:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        result = ps.run(ps.execution.load_pipeline("job.py"), store=store, reporter=QuietReporter())
        assert result.ok, result.error
        ps.deploy("fraud", version=1, store=store)
        answered = PredictionRecord(
            "p1", "fraud", "fraud", 1, now(), {"amount": 1.0}, True, score=0.9
        )
        failed = PredictionRecord("p2", "fraud", "fraud", 1, now(), {}, None, error="no [country]")
        store.metadata.predictions.add([answered, failed])
    return folder, result


def url_in(folder):
    return f"sqlite:///{folder}/.penstock/penstock.db"


@pytest.fixture
def ran(folder):
    return folder[1]


@pytest.fixture
def store(request, tmp_path, monkeypatch):
    """The project's store: empty, or a copy of that in which the run is."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    if "ran" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("folder")[0] / ".penstock", tmp_path / ".penstock")
    with open_store(url_in(tmp_path)) as opened:
        yield opened


def test_a_prediction_leads_to_version_run_rows_code_and_environment(ran, store):
    found = ps.lineage.get_lineage("p1", store=store)
    assert found.node == "prediction:p1"
    assert found.version.ref == "fraud@1"
    assert found.run.run_id == ran.run_id
    [source] = found.sources
    assert (source["source"], source["rows"]) == ("payments", 1000)
    assert found.split["rows"] == {"train": 600, "validation": 0, "test": 400}
    assert found.code["files"] == 2
    assert found.code["digest"] == found.run.provenance
    assert found.environment["python"].startswith("3.")
    assert found.environment["packages"] > 20
    assert Edge("source:payments", f"artifact:{_digest(ran, 'ingest')}", "source") in found.edges


def _digest(ran, step):
    return ran[step].outputs["result"]


def test_the_trace_of_a_prediction_is_told_with_its_truth(ran, store):
    assert "  truth     not known yet" in list(ps.lineage.get_lineage("p1", store=store).lines())
    store.metadata.predictions.add_truth({"p1": False}, now())
    assert "  truth     False" in list(ps.lineage.get_lineage("p1", store=store).lines())
    told = next(ps.lineage.get_lineage("p2", store=store).lines())
    assert told.startswith("prediction  p2: failed (no [country]) at ")


def test_it_is_plain_json(ran, store):
    document = ps.lineage.get_lineage("p1", store=store).to_json()
    assert document["version"] == "fraud@1"
    assert document["model_digest"] == ps.Registry(store=store).get("fraud", 1).content_digest
    assert document["run_id"] == ran.run_id
    assert document["seed"] == 0
    assert document["answered"] == []
    assert all(set(edge) == {"source", "target", "role"} for edge in document["edges"])
    assert document["nodes"][:2] == ["prediction:p1", "version:fraud@1"]


@pytest.mark.parametrize(
    "subject", ["fraud@1", "fraud@v1", "fraud@production", "version:fraud@1", "deployment:fraud"]
)
def test_every_name_of_a_version_gives_one_trace(ran, store, subject):
    assert ps.lineage.get_lineage(subject, store=store) == ps.lineage.get_lineage(
        "fraud@1", store=store
    )


def test_every_name_of_a_run_gives_one_trace(ran, store):
    expected = ps.lineage.get_lineage(ran.run_id, store=store)
    assert expected.version is None
    for subject in ("last", "run:last", ran.run_id[:8], f"run:{ran.run_id}"):
        assert ps.lineage.get_lineage(subject) == expected


def test_an_artifact_is_traced_by_stored_or_content_digest(ran, store):
    version = ps.Registry(store=store).get("fraud", 1)
    expected = ps.lineage.get_lineage(version.content_digest, store=store)
    assert expected.node == f"artifact:{version.content_digest}"
    assert ps.lineage.get_lineage(version.artifact, store=store) == expected
    assert ps.lineage.get_lineage(f"artifact:{version.artifact}", store=store) == expected
    assert any("source:payments --source-->" in line for line in expected.lines())


def test_down_from_the_source_stand_the_version_and_its_answers(ran, store):
    found = ps.lineage.get_lineage("source:payments", store=store, direction="down")
    assert any(edge.target == "version:fraud@1" for edge in found.edges)
    assert found.answered == (
        {"version": "fraud@1", "deployment": "fraud", "predictions": 2, "truth": 0},
    )
    lines = list(found.lines())
    assert lines[-1] == "  fraud@1 predicted 2 rows in fraud, 0 of them with ground truth"
    assert not any("sha256:" in line for line in lines), "digests are short for people"
    of_prediction = ps.lineage.get_lineage("p1", store=store, direction="down")
    assert (of_prediction.node, of_prediction.edges) == ("prediction:p1", ())


@pytest.mark.parametrize(
    "subject", ["nothing", "fraud@7", "other@1", "source:other", "step:other", "run:other",
                "artifact:sha256:00", "sha256:00", "deployment:other", "prediction:other", "p"],
)  # fmt: skip
def test_what_is_not_recorded_is_said(ran, store, subject):
    with pytest.raises(NotFoundError):
        ps.lineage.get_lineage(subject, store=store)


def test_a_model_without_a_version_is_asked_for_one(ran, store):
    with pytest.raises(NotFoundError, match=r"'fraud' is a model.* fraud@latest"):
        ps.lineage.get_lineage("fraud", store=store)


def test_an_ambiguous_beginning_is_said_to_be_one(ran, store, folder):
    ps.run(ps.execution.load_pipeline(f"{folder[0]}/job.py"), store=store, reporter=QuietReporter())
    with pytest.raises(NotFoundError, match="Several runs begin with"):
        ps.lineage.get_lineage(ran.run_id[:2], store=store)


def test_a_direction_is_up_or_down(ran, store):
    with pytest.raises(ParameterError, match="direction is 'sideways'"):
        ps.lineage.get_lineage("last", store=store, direction="sideways")  # type: ignore[arg-type]


def test_a_node_with_nothing_beyond_it_says_so():
    assert list(Lineage("source:rides", "up").lines()) == [
        "Nothing is recorded beyond source:rides."
    ]


def test_a_run_without_recorded_sources_has_a_trace_too(store):
    with ps.start_run(store=store, name="notebook") as run:
        ps.log_metric("loss", 0.3)
    found = ps.lineage.get_lineage(run.run_id, store=store)
    assert found.sources == ()
    assert next(found.lines()).startswith(f"  run       {run.run_id} of notebook, seed ")


def test_a_run_is_described_on_the_card(ran, store):
    card = ps.Registry(store=store).card("fraud", 1)
    assert "| Pipeline | fraud |" in card
    assert "| Started from | job.py:fraud |" in card
    assert "| payments | 1,000 | 2026-01-0" in card
    assert "| Python | 3." in card


def test_values_of_a_run_that_cannot_be_read_any_more_are_passed_by(ran, store):
    kept = store.metadata.runs.get(ran.run_id).provenance
    for path in (store.artifacts.path(digest) for digest in store.artifacts.list()):
        if path is not None and path != store.artifacts.path(kept):
            path.unlink()
    found = ps.lineage.get_lineage("fraud@1", store=store)
    assert found.run.run_id == ran.run_id
    assert found.code["files"] == 2
    assert list(found.lines())


def test_a_subject_that_is_no_text_is_told():
    with pytest.raises(ParameterError, match="subject is 3, an int"):
        ps.lineage.get_lineage(3)  # type: ignore[arg-type] # what beginners write
