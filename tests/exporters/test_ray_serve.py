"""Ray Serve itself starts the file, and answers as the model server of the deployment does."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest
from tests.exporters.served import UNITS, Served
from tests.services import free_port, missing
from tests.serving.conftest import MODEL

from penstock.exporters import export_model

RUN = Path(__file__).with_name("run_ray_serve.py")


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path, "ray-serve")
    yield made
    made.store.close()


def test_the_file_needs_no_penstock_to_be_read_and_says_what_it_lacks(served):
    text, tree = served.exported.text, ast.parse(served.exported.text)
    at_the_top = [ast.unparse(each) for each in tree.body if isinstance(each, ast.ImportFrom)]
    assert at_the_top == ["from ray import serve"]
    head = " ".join(ast.get_docstring(tree).split())
    assert "serve run big_tips_ray_serve:app" in head
    assert "version 1 75 %, version 2 25 %" in head
    for note in served.exported.notes:
        assert note in head
    assert served.exported.file == "big_tips_ray_serve.py"
    assert str(served.folder) not in text
    assert served.token not in text
    assert "require_users=True" in text
    anonymous = export_model(MODEL, to="ray-serve", anonymous=True, store=served.store)
    assert "anonymous=True" in anonymous.text


def test_ray_serve_answers_bit_for_bit_and_splits_units_as_the_model_server_does(served):
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("ray.serve") is None:
        missing("needs Ray Serve; get it with: pip install 'ray[serve]'")
    port = free_port()
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    module = Path(served.exported.file).stem
    with served.started(sys.executable, RUN, module, port, **settings) as process:
        served.wait_until_ready(f"http://127.0.0.1:{port}", process)
        served.require_equal(f"http://127.0.0.1:{port}")
    assert len(served.store.metadata.predictions.list(MODEL)) == len(UNITS)
