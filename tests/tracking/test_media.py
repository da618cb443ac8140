"""Pictures, sounds, histograms and tables are kept as what they are; other things are refused."""

import io
import struct
import wave

import numpy as np
import polars as pl
import pytest

from penstock.core import ParameterError, StoreError
from penstock.stores import open_store
from penstock.tracking import start_run

Image = pytest.importorskip("PIL.Image", reason='needs Pillow: pip install "penstock[media]"')


@pytest.fixture
def run(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store, start_run(store=store) as active:
        yield active


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.arange(36, dtype=np.uint8).reshape(3, 4, 3),
        np.arange(48, dtype=np.uint8).reshape(3, 4, 4),
        np.arange(12).reshape(3, 4, 1),
        np.arange(12).reshape(3, 4) / 11,
        np.eye(3, dtype=bool),
    ],
    ids=["grey", "colour", "with alpha", "one channel", "floats", "yes and no"],
)
def test_an_array_is_the_picture_that_it_says(run, array):
    run.log_image(array, "picture")
    found = pixels(run.artifact("picture"))
    expected = array.squeeze(-1) if array.shape[-1:] == (1,) else array
    scale = 255 if array.dtype.kind in "fb" else 1
    assert found.tolist() == (expected * scale).round().astype(int).tolist()
    record = run.store.metadata.list_artifacts(run.run_id)["picture"]
    assert (record.type_name, record.metadata["media"]) == ("image", "image/png")


def test_files_pil_images_and_figures_are_pictures_too(run, tmp_path):
    from matplotlib.figure import Figure

    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg")
    run.log_image(tmp_path / "a.jpg", "file", caption="black")
    run.log_image(Image.new("L", (4, 3)), "pil")
    run.log_image(Figure(figsize=(1, 1)), "figure")
    kept = run.store.metadata.list_artifacts(run.run_id)
    media = {name: record.metadata["media"] for name, record in kept.items()}
    assert media == {"file": "image/jpeg", "pil": "image/png", "figure": "image/png"}
    assert kept["file"].metadata["caption"] == "black"


def test_pictures_at_steps_are_a_series(run):
    for step in (0, 10):
        run.log_image(np.zeros((2, 2)), "sample", step=step)
    assert list(run.store.metadata.list_artifacts(run.run_id)) == ["sample@0", "sample@10"]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((3, 4, 5)), "shape .3, 4, 5. is no picture.*permute"),
        (np.zeros(3), "is no picture"),
        (np.zeros((0, 3)), "is no picture"),
        (np.array([[0.0, 7.0]]), "values from 0 to 7"),
        (np.array([[np.nan, 0.5]]), "values from nan"),
        (np.array([["a"]]), "A picture of <U1"),
        ("none.png", "cannot be read"),
    ],
)
def test_what_is_no_picture_is_refused(run, image, words):
    with pytest.raises(ParameterError, match=words):
        run.log_image(image, "picture")


def test_a_file_that_could_do_something_is_no_picture(run, tmp_path):
    (tmp_path / "a.png").write_text("<svg onload='alert(1)'/>")
    with pytest.raises(ParameterError, match="is not a PNG"):
        run.log_image(tmp_path / "a.png", "picture")
    with pytest.raises(ParameterError, match="is not a WAV"):
        run.log_audio(tmp_path / "a.png", "sound")


def test_samples_are_the_sound_that_they_say(run):
    samples = np.array([[0.0, 1.0], [-1.0, 0.5]])
    run.log_audio(samples, "sound", rate=8000, step=3)
    with wave.open(io.BytesIO(run.artifact("sound@3"))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 2)
        assert struct.unpack("<4h", file.readframes(2)) == (0, 32767, -32767, 16384)
    for wrong in (np.zeros(0), np.zeros((2, 2, 2)), np.array([2.0]), np.array([np.nan])):
        with pytest.raises(ParameterError):
            run.log_audio(wrong, "sound", rate=8000)
    with pytest.raises(ParameterError, match="at 0 a second"):
        run.log_audio(samples, "sound")


def test_a_histogram_counts_what_numpy_counts(run):
    values = np.array([0.0, 1.0, 1.0, 4.0, np.nan, np.inf])
    run.log_histogram(values, "weights", step=1, bins=4)
    found = run.artifact("weights@1")
    assert found["histogram"] == {"edges": [0.0, 1.0, 2.0, 3.0, 4.0], "counts": [1, 2, 0, 1]}
    assert (found["count"], found["not_finite"]) == (6, 2)
    with pytest.raises(ParameterError, match="0 bins"):
        run.log_histogram(values, "weights", bins=0)
    with pytest.raises(ParameterError, match="Give numbers"):
        run.log_histogram(["a"], "weights")


def test_rows_are_a_table(run):
    run.log_table([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "rows")
    assert run.artifact("rows").equals(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}))


def test_a_store_that_cannot_be_written_does_not_stop_the_work(run, monkeypatch, caplog):
    def full(*_, **__):
        raise StoreError("The disk is full.")

    monkeypatch.setattr(run.store.artifacts, "write", full)
    noise = np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8)
    assert run.log_image(noise, "picture") == ""
    assert "The disk is full" in caplog.text
