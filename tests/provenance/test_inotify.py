"""What the kernel tells of folders: also what others do there, so no more is watched than asked."""

import sys

import pytest

from penstock.provenance._inotify import FolderWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def test_a_folder_that_is_watched_alone_says_nothing_of_new_folders_in_it(tmp_path):
    """Temporary files of other processes lie in new folders beside the project."""
    watch = FolderWatch(lambda _: False)
    watch.add(str(tmp_path), deep=False)
    watch.start()
    inner = tmp_path / "new" / "request.json"
    inner.parent.mkdir()
    inner.write_text("{}")
    inner.read_text()
    assert watch.collect() == (set(), set())

    watch.add(str(tmp_path))  # somebody names the folder after all
    watch.start()
    inner.read_text()
    (tmp_path / "later").mkdir()
    watch.drain()
    (tmp_path / "later" / "a.csv").write_text("")
    assert watch.collect() == ({str(inner)}, {str(tmp_path / "later" / "a.csv")})
    watch.close()
