"""Only formats that cannot run code make a model."""

from datetime import UTC, datetime

import pytest

from penstock.core import ArtifactRecord, SerializationError
from penstock.models import require_safe


def record(form, **changes):
    return ArtifactRecord("sha256:1", "sha256:2", form, "my.Model", 1, datetime.now(UTC), **changes)


@pytest.mark.parametrize("form", ["skops", "xgboost", "lightgbm"])
def test_safe_formats_pass(form):
    assert require_safe(record(form)).format == form


@pytest.mark.parametrize("form", ["cloudpickle", "skops", "bundle"])
def test_what_is_marked_unsafe_is_refused_with_reason_and_fix(form):
    unsafe = record(form, unsafe=True, metadata={"why_unsafe": "it holds a lambda."})
    with pytest.raises(SerializationError) as caught:
        require_safe(unsafe)
    assert (
        caught.value.what
        == "The model (my.Model) can only be stored as a pickle: it holds a lambda."
    )
    assert "run any code" in caught.value.why
    assert "scikit-learn" in caught.value.fix


@pytest.mark.parametrize("form", ["json", "parquet", "bundle", "joblib", ""])
def test_what_is_no_model_is_refused(form):
    with pytest.raises(SerializationError, match=r"A my\.Model \(stored as .*\) is no model"):
        require_safe(record(form))
