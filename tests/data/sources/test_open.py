"""A text is opened as a source of rows."""

from penstock.data.sources import DataSource, StampedSource, open_source


def test_a_path_is_a_source_in_the_folder(tmp_path):
    (tmp_path / "rides.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    source = open_source("rides.csv", folder=tmp_path)
    assert isinstance(source, DataSource)
    assert isinstance(source, StampedSource)
    assert (source.name, source.read().rows()) == ("rides", [(1, 2)])


def test_an_absolute_path_stays(tmp_path):
    (tmp_path / "rides.csv").write_text("a\n1\n", encoding="utf-8")
    assert open_source(str(tmp_path / "rides.csv"), folder=tmp_path / "more").read().height == 1
