import numpy as np
import polars as pl
import pytest

import penstock as ps
from penstock.core import DataError, NotFoundError
from penstock.execution import QuietReporter
from penstock.features import FileDataset

ROWS = pl.DataFrame({"file": ["a.npy", "b.npy", "a.npy"], "label": [0, 1, 0]})


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "arrays"
    place.mkdir()
    for at, name in enumerate(("a", "b")):
        np.save(place / f"{name}.npy", np.full((2, 2), at, dtype=np.float32))
    return place


def test_a_loader_of_torch_gives_batches_of_tensors(folder):
    torch = pytest.importorskip("torch", reason="pip install 'penstock[torch]'")
    dataset = FileDataset(ROWS, column="file", folder=folder, target="label")
    (values, labels), *_ = torch.utils.data.DataLoader(dataset, batch_size=3)
    assert values.shape == (3, 2, 2)
    assert values[:, 0, 0].tolist() == labels.tolist() == [0, 1, 0]


def test_images_are_arrays_of_three_colours(folder):
    image = pytest.importorskip("PIL.Image", reason="pip install 'penstock[media]'")
    image.fromarray(np.full((4, 3), 7, dtype=np.uint8)).save(folder / "grey.png")
    rows = pl.DataFrame({"file": ["grey.png"]})
    found = FileDataset(rows, column="file", folder=folder, transform=np.transpose)[0]
    assert found.shape == (3, 3, 4)
    assert (found == 7).all()


def test_a_changed_file_is_refused_and_has_another_digest(folder):
    dataset = FileDataset(ROWS, column="file", folder=folder)
    np.save(folder / "b.npy", np.zeros(3))
    assert dataset[0].shape == (2, 2)
    with pytest.raises(DataError, match=r"b.npy has changed since the dataset was created"):
        dataset[1]
    assert FileDataset(ROWS, column="file", folder=folder).digest != dataset.digest


def test_a_step_runs_again_when_a_file_changed(folder, tmp_path):
    place = str(folder)

    @ps.step
    def mean(place: str) -> float:
        dataset = FileDataset(ROWS, column="file", folder=place)
        return float(
            np.mean([values.mean() for values in (dataset[row] for row in range(len(dataset)))])
        )

    @ps.pipeline
    def means(place: str) -> float:
        return mean(place)

    states, store = [], f"sqlite:///{tmp_path / 'p.db'}"
    for values in (None, None, np.ones((2, 2))):
        if values is not None:
            np.save(folder / "a.npy", values)
        result = ps.run(means, place=place, store=store, reporter=QuietReporter())
        states.append(str(result.steps[0].state))
    assert states == ["finished", "cached", "finished"]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("../secret.npy", DataError, "leads out of the folder"),
        ("gone.npy", NotFoundError, "gone.npy cannot be read"),
        ("model.pkl", DataError, "no image or NumPy file by its ending"),
        (None, DataError, "Row 0 of 'file' is None"),
    ],
)
def test_a_name_that_cannot_be_read_is_named(folder, name, error, message):
    rows = pl.DataFrame({"file": [name]}, schema={"file": pl.String})
    with pytest.raises(error, match=message):
        FileDataset(rows, column="file", folder=folder)


def test_arrays_of_python_objects_are_not_read(folder):
    np.save(folder / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"'a.npy' cannot be decoded"):
        FileDataset(ROWS, column="file", folder=folder)[0]
