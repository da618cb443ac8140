"""Fifty kinds of model, each trained, registered, verified, served and loaded without penstock.

The results are the table of docs/reference/model-kinds.md; ``python -m tests.models.write_kinds``
writes the page anew.
"""

import pytest

NEEDED = 'pip install lightning "penstock[boosters,catboost,onnx,torch,transformers,keras]"'
for package in ("xgboost", "lightgbm", "catboost", "onnxruntime", "skl2onnx", "lightning",
                "transformers", "sentence_transformers", "keras"):  # fmt: skip
    pytest.importorskip(package, reason=NEEDED)
write_kinds = pytest.importorskip("tests.models.write_kinds")


def test_every_kind_is_trained_registered_verified_served_and_loaded_natively(tmp_path):
    rows = write_kinds.make_rows(tmp_path)
    assert len(rows) >= 50
    assert [row for row in rows if "no" in row.results] == []
    assert write_kinds.render_page(rows) == write_kinds.PAGE.read_text(encoding="utf-8")
