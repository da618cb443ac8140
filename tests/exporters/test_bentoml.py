"""BentoML itself starts the file, and answers as the model server of the deployment does."""

import ast

import httpx
import pytest
from tests.exporters.engines import ROOT, engine
from tests.exporters.served import UNITS, Served
from tests.services import free_port
from tests.serving.conftest import MODEL

from penstock.core import ParameterError
from penstock.exporters import export_model
from penstock.serving import deploy


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path, "bentoml")
    yield made
    made.store.close()


def test_the_file_needs_no_penstock_to_be_read_and_says_what_it_lacks(served):
    tree = ast.parse(served.exported.text)
    at_the_top = [ast.unparse(each) for each in tree.body if "Import" in type(each).__name__]
    assert at_the_top == ["from contextlib import AsyncExitStack", "import bentoml"]
    head = " ".join(ast.get_docstring(tree).split())
    assert "bentoml serve big_tips_bentoml:ModelServer" in head
    for note in served.exported.notes:
        assert note in head


def test_names_are_those_that_bentoml_and_python_take(served):
    deploy(MODEL, name="7-Big_Tips.EU", store=served.store)
    exported = export_model("7-Big_Tips.EU", to="bentoml", store=served.store)
    assert exported.file == "model_7_big_tips_eu_bentoml.py"
    assert 'name="7-big-tips-eu"' in exported.text
    assert 'names=["7-Big_Tips.EU"]' in exported.text
    deploy(MODEL, name="t" * 64, store=served.store)
    with pytest.raises(ParameterError, match="--name OTHER"):
        export_model("t" * 64, to="bentoml", store=served.store)


def test_bentoml_answers_bit_for_bit_and_splits_units_as_the_model_server_does(served):
    command, port = engine("bentoml") / "bentoml", free_port()
    target = f"{served.exported.file.removesuffix('.py')}:ModelServer"
    # The environment has penstock's dependencies; penstock itself is this one.
    settings = {"PYTHONPATH": str(ROOT / "src"), "BENTOML_DO_NOT_TRACK": "True"}
    words = ("serve", target, "--host", "127.0.0.1", "--port", port)
    with served.started(command, *words, **settings) as process:
        url = f"http://127.0.0.1:{port}"
        served.wait_until_ready(url, process)
        served.require_equal(url)
        # As the head says: BentoML's own route asks for no token.
        assert "penstock_requests_total" in httpx.get(f"{url}/metrics").text
    assert len(served.store.metadata.predictions.list(MODEL)) == len(UNITS)
