"""Many rows by a loop in the graph: the bits of single calls, or the single calls themselves."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

pytest.importorskip("onnxruntime", reason="needs onnx: pip install 'penstock[onnx]'")
skl2onnx = pytest.importorskip("skl2onnx", reason="needs onnx: pip install 'penstock[onnx]'")

from penstock.models import _onnx_session as sessions  # noqa: E402 - it needs the libraries
from penstock.models._onnx_rows import run_scan  # noqa: E402
from penstock.models._onnx_session import OnnxSession  # noqa: E402

ROWS = np.random.default_rng(0).normal(size=(300, 7))


def graph(estimator, kind, **options):
    labels = np.where(ROWS[:, :3].sum(axis=1) > 0, "yes", "no")
    types = {"float64": "DoubleTensorType", "float32": "FloatTensorType"}
    made = getattr(pytest.importorskip("skl2onnx.common.data_types"), types[kind])
    return skl2onnx.to_onnx(
        estimator.fit(ROWS, labels), initial_types=[("X", made([None, 7]))], options=options or None
    )


def looped(session, rows):
    names = [name for name, _ in session.outputs]
    found = session.run({"X": rows}, names)
    alone = [session.run({"X": rows[i : i + 1]}, names) for i in range(len(rows))]
    for place, each in enumerate(found):
        expected = sessions._join([one[place] for one in alone])
        if isinstance(each, list):
            assert each == expected
        else:
            assert (each.dtype, each.shape) == (expected.dtype, expected.shape)
            assert each.tolist() == expected.tolist()
    return session._scan is not None


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), MLPClassifier((9,), max_iter=5, random_state=0)]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_many_rows_have_the_bits_of_single_calls(estimator, kind):
    session = OnnxSession(graph(estimator, kind, zipmap=False))
    assert session.is_by_row
    assert looped(session, ROWS.astype(kind))


def test_dictionaries_are_made_by_single_calls():
    assert not looped(OnnxSession(graph(LogisticRegression(), "float32")), ROWS.astype("float32"))


def test_a_loop_with_other_bits_is_not_used_again(monkeypatch):
    session = OnnxSession(graph(LogisticRegression(), "float64", zipmap=False))
    run = run_scan

    def wrong(*arguments):
        labels, shares = run(*arguments)
        return [labels, np.nextafter(shares, 1)]

    monkeypatch.setattr("penstock.models._onnx_session.run_scan", wrong)
    assert not looped(session, ROWS)
