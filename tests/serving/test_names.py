"""What a server is asked to serve: deployments, models, and versions by either kind of name."""

import pytest

from penstock.core import ConflictError, NotFoundError, ParameterError
from penstock.serving import deploy, served_names

MODEL = "big-tips"


@pytest.mark.parametrize(
    "name",
    [
        MODEL,
        f"{MODEL}@1",
        f"{MODEL}@champion",
        f"models:/{MODEL}",
        f"models:/{MODEL}/1",
        f"models:/{MODEL}@champion",
        f"models:/{MODEL}/Production",
        f"models:/{MODEL}/latest",
    ],
)
def test_every_name_of_the_version_in_production_is_its_deployment(served, name):
    assert served_names([name], store=served.store) == [MODEL]


def test_all_deployments_stay_all(served):
    assert served_names(None, store=served.store) is None


@pytest.mark.parametrize("name", [f"{MODEL}@2", f"models:/{MODEL}/2"])
def test_a_version_without_traffic_is_refused_until_it_gets_some(served, name):
    served.register(0.5)
    with pytest.raises(ConflictError, match=r"big-tips@2 is in none.*penstock promote big-tips@2"):
        served_names([name], store=served.store)
    deploy(MODEL, version=2, canary=(50, 100), store=served.store)
    assert served_names([name], store=served.store) == [MODEL]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("models:/m-0123456789abcdef0123456789abcdef", "names a logged model"),
        ("runs:/0123/model", "names the files of a run"),
        ("models:/", "names no version of a model"),
        ("models:/a/b/c", "names no version of a model"),
        ("models:/a@", "names no version of a model"),
    ],
)
def test_what_is_no_version_is_refused_with_the_way_to_register_it(served, name, told):
    with pytest.raises(ParameterError, match=told) as refused:
        served_names([name], store=served.store)
    assert "mlflow.register_model" in refused.value.fix


def test_an_unknown_model_is_not_found(served):
    with pytest.raises(NotFoundError):
        served_names(["models:/other/1"], store=served.store)
