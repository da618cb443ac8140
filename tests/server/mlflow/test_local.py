"""The protocol without HTTP: calls by method and path, stores by URI."""

import pytest

from penstock.core import ParameterError
from penstock.server.mlflow._errors import MlflowError
from penstock.server.mlflow._local import answer, local_desk


def test_a_call_is_answered_by_method_and_path(tmp_path):
    desk = local_desk(f"penstock:sqlite:///{tmp_path}/penstock.db")
    run = answer(desk, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]
    assert run["info"]["artifact_uri"] == f"penstock:/0/{run['info']['run_id']}/artifacts"
    made = answer(desk, "POST", "/api/2.0/mlflow/logged-models", {"experiment_id": "0"})["model"]
    path = f"/api/2.0/mlflow/logged-models/{made['info']['model_id']}"
    assert answer(desk, "GET", path, {})["model"] == made
    found = answer(
        desk, "POST", "/ajax-api/2.0/mlflow/logged-models/search", {"experiment_ids": ["0"]}
    )
    assert found["models"] == [made]
    with pytest.raises(MlflowError, match="no call GET"):
        answer(desk, "GET", "/api/3.0/mlflow/traces", {})
    desk.store.close()


def test_a_store_has_one_desk(tmp_path):
    uri = f"penstock:sqlite:///{tmp_path}/penstock.db"
    first = local_desk(uri)
    assert local_desk(uri) is first
    first.store.close()
    again = local_desk(uri)
    assert again is not first
    again.store.close()


def test_a_server_is_no_store():
    with pytest.raises(ParameterError, match="set_tracking_uri"):
        local_desk("penstock:http://127.0.0.1:5000")
