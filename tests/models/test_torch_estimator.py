"""A network as a model: frames in, labels or numbers out, stored with the transformers before it."""

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import DataError, ParameterError
from penstock.models import Model, TorchEstimator, require_safe
from penstock.stores import open_store

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'penstock[torch]'")
nn = torch.nn
FRAME = pl.DataFrame({"age": [20.0, 60.0, 41.0], "height": [1.8, 1.6, 1.7]})


class Tower(nn.Module):  # type: ignore[name-defined]  # torch is imported if installed
    """A network of the user's own."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, classes)
        )

    def forward(self, x):
        return self.layers(x)


def model_of(net, classes=None, **options):
    scaler = StandardScaler().fit(FRAME)
    return make_pipeline(scaler, TorchEstimator(net, classes=classes, **options))


@pytest.mark.parametrize("classes", [["no", "yes"], ["a", "b", "c"]])
def test_probabilities_are_the_softmax_of_the_scores_in_evaluation_mode(classes):
    torch.manual_seed(0)
    net = Tower(len(classes))
    pipeline = model_of(net, classes)
    found = Model.of(pipeline, FRAME).predict(FRAME)
    rows = torch.tensor(pipeline[0].transform(FRAME), dtype=torch.float32)
    expected = torch.softmax(net.eval()(rows).double(), dim=1)
    assert torch.equal(torch.from_numpy(found.probabilities), expected.detach())
    assert found.values == [classes[i] for i in expected.argmax(dim=1)]


def test_one_score_for_two_classes_is_the_logit_of_the_second():
    net = nn.Linear(2, 1)
    found = TorchEstimator(net, ["no", "yes"]).predict_proba(FRAME)
    logits = net(torch.tensor(FRAME.to_numpy(), dtype=torch.float32))[:, 0].double()
    # Not bit for bit: a product of 32-bit floats, whose rounding the processor decides.
    assert found[:, 1].tolist() == pytest.approx(torch.sigmoid(logits).tolist(), rel=1e-6)


def test_a_regression_has_no_probabilities():
    model = Model.of(model_of(Tower(1), dtype="float32"), FRAME)
    assert not model.has_probabilities
    assert model.predict(FRAME).probabilities is None


def test_it_is_stored_and_read_back_with_the_same_predictions(tmp_path):
    pipeline = model_of(Tower(2), ["no", "yes"])
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        record = require_safe(store.put(pipeline))
        back = store.get(record.digest)
        assert (record.format, store.digest(back)) == ("skops", record.content_digest)
    assert back.predict_proba(FRAME).tobytes() == pipeline.predict_proba(FRAME).tobytes()


@pytest.mark.parametrize(
    ("estimator", "error", "said"),
    [
        (TorchEstimator(nn.Linear(2, 3)), DataError, "3 values per row"),
        (TorchEstimator(nn.Linear(2, 3), ["a", "b"]), DataError, "for 2 classes"),
        (TorchEstimator(nn.Flatten(0)), DataError, "shape \\(6,\\) for 3 rows"),
        (TorchEstimator(nn.Linear(2, 1), dtype="int8"), ParameterError, "'int8'"),
    ],
)
def test_a_network_that_does_not_fit_is_told(estimator, error, said):
    with pytest.raises(error, match=said):
        estimator.predict(FRAME)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_rows_have_the_type_of_the_weights(kind):
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 2).to(getattr(torch, kind))
    rows = pl.DataFrame({"a": [0.1, -2.0, 3.0], "b": [1.5, 0.25, 7.0]})
    found = TorchEstimator(net, classes=["no", "yes"], dtype=kind).predict_proba(rows)
    with torch.inference_mode():
        scores = net(torch.tensor(rows.to_numpy()).float().to(getattr(torch, kind)))
        expected = torch.softmax(scores.double(), dim=1).numpy()
    if kind != "float64":
        assert (found == expected).all()
    assert np.abs(found - expected).max() < 1e-6
    with pytest.raises(DataError, match=f'weights are {kind}.*float32.*dtype="{kind}"'):
        TorchEstimator(net, classes=["no", "yes"]).predict(rows)
