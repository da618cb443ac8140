"""Pictures, sounds, histograms and tables are kept as what they are; other things are refused."""

import io
import struct
import wave

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import ParameterError, StoreError
from penstock.stores import open_store
from penstock.tracking import start_run, step_of
from penstock.tracking._histogram import histogram
from penstock.tracking._pictures import picture
from penstock.tracking._series import name_at

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
    run.log_image("picture", array)
    found = pixels(run.artifact("picture"))
    expected = array.squeeze(-1) if array.shape[-1:] == (1,) else array
    scale = 255 if array.dtype.kind in "fb" else 1
    assert found.tolist() == (expected * scale).round().astype(int).tolist()
    record = run.store.metadata.artifacts.list(run.run_id)["picture"]
    assert (record.type_name, record.metadata["media"]) == ("image", "image/png")


def test_files_pil_images_and_figures_are_pictures_too(run, tmp_path):
    from matplotlib.figure import Figure

    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg")
    run.log_image("file", tmp_path / "a.jpg", caption="black")
    run.log_image("pil", Image.new("L", (4, 3)))
    run.log_image("figure", Figure(figsize=(1, 1)))
    kept = run.store.metadata.artifacts.list(run.run_id)
    media = {name: record.metadata["media"] for name, record in kept.items()}
    assert media == {"file": "image/jpeg", "pil": "image/png", "figure": "image/png"}
    assert kept["file"].metadata["caption"] == "black"


def test_artifacts_at_steps_are_a_series_whose_last_has_its_name(run):
    for step, value in ((0, 0), (10, 255), (9.5, 7), (1_000_001, 1), (1_000_000, 2)):
        run.log_image("sample", np.full((1, 1), value, np.uint8), step=step)
    assert list(run.artifacts()) == [
        "sample@0", "sample@10", "sample@9.5", "sample@1000001", "sample@1000000"
    ]  # fmt: skip
    assert pixels(run.artifact("sample")).tolist() == [[1]]
    assert pixels(run.artifact("sample@10")).tolist() == [[255]]
    for step in (float("nan"), float("inf"), "one"):  # type: ignore[assignment]
        with pytest.raises(ParameterError, match="The step of 'sample' is"):
            run.log_image("sample", np.zeros((1, 1)), step=step)


@given(st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_steps_name_gives_the_step_back(step):
    assert step_of(name_at("a@b", step)) == ("a@b", float(step))


class Tensor:
    """Looks like a torch tensor: the tests with the real one are in test_watch.py."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    cpu = detach

    def is_floating_point(self):
        return False

    def __array__(self, dtype=None, copy=None):
        return self.array


def test_channels_may_stand_first_where_it_is_said_or_clear(run):
    first = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    run.log_image("said", first, layout="CHW")
    run.log_image("clear", Tensor(first))
    expected = np.moveaxis(first, 0, -1).tolist()
    assert pixels(run.artifact("said")).tolist() == expected
    assert pixels(run.artifact("clear")).tolist() == expected
    either = np.zeros((3, 4, 3), np.uint8)
    with pytest.raises(ParameterError, match="channels first or last"):
        run.log_image("unclear", Tensor(either))
    run.log_image("now clear", Tensor(either), layout="CHW")
    assert pixels(run.artifact("now clear")).shape == (4, 3, 3)
    with pytest.raises(ParameterError, match="layout is 'HCW'"):
        run.log_image("picture", either, layout="HCW")


def test_one_picture_with_two_captions_is_two_artifacts(run):
    for caption in ("first", "second"):
        run.log_image(caption, np.zeros((2, 2)), caption=caption)
    kept = run.artifacts()
    assert [record.metadata["caption"] for record in kept.values()] == ["first", "second"]
    assert len({record.digest for record in kept.values()}) == 1
    assert (kept["first"].metadata["width"], kept["first"].metadata["height"]) == (2, 2)


def test_colours_that_png_does_not_know_are_converted(run):
    run.log_image("print", Image.new("CMYK", (1, 1), (0, 255, 255, 0)))
    assert pixels(run.artifact("print")).tolist() == [[[255, 0, 0]]]


def test_figures_are_drawn_or_kept_by_whose_they_are(run):
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    axes = figure.subplots()
    run.log_figure("axes", axes, step=1)
    run.log_figure("bars", go.Figure(go.Bar(y=[1, 2])), caption="two")
    kept = run.artifacts()
    assert kept["axes@1"].metadata["media"] == "image/png"
    assert (kept["bars"].format, kept["bars"].metadata["caption"]) == ("figure", "two")
    assert run.artifact("bars").data[0].y == (1, 2)
    with pytest.raises(ParameterError, match="An int is not a figure"):
        run.log_figure("one", 1)


def test_texts_are_kept_with_their_markup(run):
    for markup in ("plain", "markdown", "html"):
        run.log_text(markup, "# *a*", markup=markup)
        assert run.artifact(markup) == "# *a*"
    media = [record.metadata["media"] for record in run.artifacts().values()]
    assert media == ["text/plain", "text/markdown", "text/html"]
    with pytest.raises(ParameterError, match="Did you mean 'markdown'"):
        run.log_text("x", "", markup="markdon")
    with pytest.raises(ParameterError, match="An int is no text"):
        run.log_text("x", 1)


def test_a_text_in_mlflows_order_is_logged_under_the_name_of_the_file_or_a_warning_says_so(
    run, caplog
):
    run.log_text("a report of several words", "notes.txt")
    run.log_text("# Title\n", "docs/report.md")
    run.log_text("notes.md", "the text stands in notes.txt")
    assert not caplog.records
    run.log_text("best", "model.json")
    assert set(run.artifacts()) == {"notes.txt", "docs/report.md", "notes.md", "best"}
    assert run.artifact("notes.txt") == "a report of several words"
    assert "logs the text 'model.json' under the name 'best'" in caplog.text


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"), (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"), (b"RIFF\0\0\0\0AVI ", None), (b"RIFF", None),
        (b"OggS", "audio/ogg"), (b"fLaC", "audio/flac"), (b"ID3", "audio/mpeg"), (b"", None),
        (b"<svg", None), (b"<html", None), (b"GIF8", None),
    ],
)  # fmt: skip
def test_a_files_type_is_told_by_its_bytes(run, tmp_path, start, kind):
    for size in (0, 5000):
        (tmp_path / "a.png").write_bytes(start + bytes(size))
        run.log_artifact(tmp_path / "a.png", name=f"file{size}")
        assert run.artifact_record(f"file{size}").metadata["media"] == kind


def test_logging_by_function_goes_to_the_active_run(run):
    import penstock as ps

    ps.log_image("image", np.zeros((1, 1)), step=1, caption="c")
    ps.tracking.log_audio("audio", np.zeros(8), rate=8, step=1)
    ps.tracking.log_histogram("histogram", [1, 2], step=1, bins=2)
    ps.log_table("table", {"a": [1]}, step=1)
    ps.log_text("text", "a", step=1, markup="html")
    from matplotlib.figure import Figure

    ps.log_figure("figure", Figure(figsize=(1, 1)), step=1, caption="c")
    names = ["image", "audio", "histogram", "table", "text", "figure"]
    assert list(run.artifacts()) == [f"{name}@1" for name in names]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((3, 4, 5)), "shape .3, 4, 5. is no picture.*layout='CHW'"),
        (np.zeros(3), "is no picture"),
        (np.zeros((0, 3)), "is no picture"),
        (np.zeros((2, 3, 4, 3)), "Of a batch, log each"),
        ([[1, 2], [3]], "rows of several lengths"),
        (b"<svg/>", "is not a PNG"),
        (np.array([[0.0, 7.0]]), "values from 0 to 7"),
        (np.array([[np.nan, 0.5]]), "values from nan"),
        (np.array([["a"]]), "An array of <U1 is no picture"),
        ("none.png", "cannot be read"),
    ],
)
def test_what_is_no_picture_is_refused(run, image, words):
    with pytest.raises(ParameterError, match=words):
        run.log_image("picture", image)


def test_a_file_that_could_do_something_is_no_picture(run, tmp_path):
    (tmp_path / "a.png").write_text("<svg onload='alert(1)'/>")
    with pytest.raises(ParameterError, match="is not a PNG"):
        run.log_image("picture", tmp_path / "a.png")
    with pytest.raises(ParameterError, match="is not a WAV"):
        run.log_audio("sound", tmp_path / "a.png")


def test_samples_are_the_sound_that_they_say(run):
    samples = np.array([[0.0, 1.0], [-1.0, 0.5]])
    run.log_audio("sound", samples, rate=8000, step=3)
    with wave.open(io.BytesIO(run.artifact("sound@3"))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 2)
        assert struct.unpack("<4h", file.readframes(2)) == (0, 32767, -32767, 16384)
    for wrong in (np.zeros(0), np.zeros((2, 2, 2)), np.array([2.0]), np.array([np.nan])):
        with pytest.raises(ParameterError):
            run.log_audio("sound", wrong, rate=8000)
    with pytest.raises(ParameterError, match="rate is 0"):
        run.log_audio("sound", samples)


def test_samples_with_channels_first_and_whole_numbers(run):
    run.log_audio("stereo", np.zeros((2, 100)), rate=8000)
    facts = run.artifact_record("stereo").metadata
    assert facts == {"media": "audio/wav", "rate": 8000, "channels": 2, "seconds": 0.013}
    run.log_audio("whole", np.array([-32768, 32767]), rate=8000)
    for wrong, words in (
        (np.array([1 << 20]), "whole numbers from 1048576"),
        (np.array(["a"]), "are no sound"),
        (np.array([np.inf]), "not all finite"),
        (np.zeros((20, 20)), "up to 8 channels"),
    ):
        with pytest.raises(ParameterError, match=words):
            run.log_audio("sound", wrong, rate=8000)
    with pytest.raises(ParameterError, match="is not a WAV"):
        run.log_audio("sound", b"<html>")


@given(
    st.lists(st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf]), min_size=1),
    st.integers(1, 50),
)
def test_a_histogram_loses_no_value(values, bins):
    try:
        found = histogram(values, bins)
    except ParameterError as error:
        assert "have no histogram" in str(error)  # noqa: PT017 - NumPy itself says when
        return
    assert sum(found["histogram"]["counts"]) + found["not_finite"] == found["count"] == len(values)
    assert len(found["histogram"]["edges"]) == len(found["histogram"]["counts"]) + 1


def test_what_was_counted_already_is_taken_as_it_is(run):
    counts, edges = np.histogram([0.0, 1.0, 1.0, 4.0], bins=[0, 1, 4])
    run.log_histogram("counted", (counts, edges))
    assert run.artifact("counted")["histogram"] == {"edges": [0, 1, 4], "counts": [1, 3]}
    for wrong in (([1], [0]), ([1], [1, 0]), ([-1], [0, 1]), ([0.5], [0, 1]), ([1], [0, np.inf])):
        with pytest.raises(ParameterError):
            run.log_histogram("counted", wrong)
    with pytest.raises(ParameterError, match="no values at all"):
        run.log_histogram("none", [])
    with pytest.raises(ParameterError, match="have no histogram"):
        run.log_histogram("far", [-1e308, 1e308])


def test_a_histogram_counts_what_numpy_counts(run):
    values = np.array([0.0, 1.0, 1.0, 4.0, np.nan, np.inf])
    run.log_histogram("weights", values, step=1, bins=4)
    found = run.artifact("weights@1")
    assert found["histogram"] == {"edges": [0.0, 1.0, 2.0, 3.0, 4.0], "counts": [1, 2, 0, 1]}
    assert (found["count"], found["not_finite"]) == (6, 2)
    with pytest.raises(ParameterError, match="bins is 0"):
        run.log_histogram("weights", values, bins=0)
    with pytest.raises(ParameterError, match="Give numbers"):
        run.log_histogram("weights", ["a"])


def test_rows_are_a_table(run):
    run.log_table("rows", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
    assert run.artifact("rows").equals(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    for wrong, words in (
        ([], "An empty list is no table"), ({}, "An empty dict"), (3, "An int is no table"),
        ({"a": [1], "b": [1, 2]}, "The dict is no table"), ([1, 2], "A list is no table"), ([{"a": 1}, {"a": [2]}], "The list is no table"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=words):
            run.log_table("rows", wrong)


def test_a_store_that_cannot_be_written_does_not_stop_the_work(run, monkeypatch, caplog):
    def full(*_, **__):
        raise StoreError("The disk is full.")

    monkeypatch.setattr(run.store.artifacts, "write", full)
    noise = np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8)
    assert run.log_image("picture", noise) == ""
    assert "The disk is full" in caplog.text


def test_values_that_hardly_differ_have_a_histogram(run):
    close = [1e300, np.nextafter(1e300, 2e300)]
    run.log_histogram("close", close)
    assert sum(run.artifact("close")["histogram"]["counts"]) == 2


def test_the_order_of_before_is_still_read_where_it_is_plain(run, tmp_path):
    (tmp_path / "a.png").write_bytes(picture(np.zeros((2, 2)), None))
    run.log_table([{"a": 1}], "rows")
    run.log_histogram([1, 2, 3], "weights")
    run.log_image(str(tmp_path / "a.png"), "path")
    run.log_image("name first", str(tmp_path / "a.png"))
    run.log_table("table", [{"a": 1}])
    assert {"rows", "weights", "path", "name first", "table"} <= set(run.artifacts())
