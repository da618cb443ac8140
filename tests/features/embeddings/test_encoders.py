import json

import pytest

from penstock.core import DataError
from penstock.features.embeddings._encoders import load_encoder
from penstock.features.embeddings._files import list_files


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", {"auto_map": {"AutoModel": "own.Model"}}, "config.json has auto_map"),
        ("modules.json", [{"type": "own.Module"}], "modules.json names own.Module"),
        (
            "modules.json",
            [{"type": "sentence_transformers.models.Dense"}],
            "modules.json names sentence_transformers.models.Dense",
        ),
        ("modules.json", [{"type": "os.path.Transformer"}], "modules.json names os.path"),
    ],
)
def test_a_model_that_brings_code_is_refused(tmp_path, file, content, message):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"brings code: {message}"):
        load_encoder(tmp_path, list_files(tmp_path))


def test_a_folder_without_modules_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match=r"no modules\.json"):
        load_encoder(tmp_path, list_files(tmp_path))
