"""The request that uploads a version to Vertex AI, read by Vertex's own types where they are installed."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.exporters.engines import ROOT, engine, vertex_read

from penstock.cli import cli
from penstock.core import NotFoundError, ParameterError, Stage, StageEvent, now
from penstock.exporters import export_vertex_model
from penstock.stores import open_store
from penstock.testing._records import a_version

_WORDS: dict[str, Any] = {"to": "gs://team-files/models", "image": "registry/model:1", "project": "team",
          "location": "europe-west4"}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        record = replace(a_version(model="Churn.Risk"), note="for banks",
                         metrics={"auc": 0.9, "odd": math.nan})  # fmt: skip
        version = opened.metadata.models.create_version(record, actor="ada")
        opened.metadata.models.set_version_tags(
            "Churn.Risk", 1, {"team": "risk", "Owner": "Ada L."}
        )
        event = StageEvent("Churn.Risk", 1, Stage.NONE, Stage.PRODUCTION, "ada", "good", now())
        opened.metadata.models.move_stages([event], expected={1: version.revision})
        yield opened


def test_the_request_has_what_vertex_has_a_field_for_and_the_rest_is_listed(store):
    exported = export_vertex_model("Churn.Risk@champion", **_WORDS, store=store)
    request = json.loads(exported.text)
    model = request["model"]
    assert request["parent"] == "projects/team/locations/europe-west4"
    assert request["modelId"].startswith("churn-risk-")
    assert (model["displayName"], model["versionDescription"]) == ("Churn.Risk", "for banks")
    assert model["versionAliases"] == ["champion"]
    assert model["artifactUri"] == f"gs://team-files/models/{request['modelId']}/1"
    assert model["labels"] == {"team": "risk"}
    assert model["metadata"]["penstock.ref"] == "Churn.Risk@1"
    assert model["metadata"]["tags"] == {"team": "risk", "Owner": "Ada L."}
    assert model["metadata"]["metrics"] == {"auc": 0.9}
    told = "\n".join(exported.notes)
    for what in ("(odd)", "tag 'Owner'", "approvals and its history", "Vertex AI counts"):
        assert what in told
    assert export_vertex_model("Churn.Risk@1", **_WORDS, store=store).text == exported.text


def test_the_next_version_names_the_model_that_is_there(store):
    request = json.loads(
        export_vertex_model("Churn.Risk@1", **_WORDS, existing=True, store=store).text
    )
    assert "modelId" not in request
    assert request["parentModel"].startswith("projects/team/locations/europe-west4/models/churn-")


def test_vertex_reads_the_requests_without_a_loss(store, tmp_path):
    files = []
    for existing in (False, True):
        file = tmp_path / f"{existing}.json"
        file.write_text(
            export_vertex_model("Churn.Risk@1", **_WORDS, existing=existing, store=store).text
        )
        files.append(file)
    read = vertex_read(
        engine("vertex"), Path(ROOT / "tests/exporters/check_vertex_model.py"), files
    )
    assert read == [json.loads(file.read_text()) for file in files]


def test_the_command_writes_the_request_and_lists_what_is_lost(store, tmp_path):
    words = [word for name, value in _WORDS.items() for word in (f"--{name}", value)]
    file = tmp_path / "upload.json"
    shown = CliRunner().invoke(
        cli,
        ["--store", store.url, "export", "vertex-model", "Churn.Risk@1", *words, "-o", str(file)],
    )
    assert shown.exit_code == 0, shown.output
    assert file.read_text() == export_vertex_model("Churn.Risk@1", **_WORDS, store=store).text
    assert "not carried over" in shown.stderr


def test_a_place_that_is_none_and_an_unknown_version_are_refused(store):
    with pytest.raises(ParameterError, match="no place in Cloud Storage"):
        export_vertex_model("Churn.Risk@1", **{**_WORDS, "to": "/tmp/models"}, store=store)
    with pytest.raises(NotFoundError):
        export_vertex_model("Churn.Risk@7", **_WORDS, store=store)
