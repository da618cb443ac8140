"""EntryPoint: parsed once, written in one way."""

from pathlib import Path

import pytest

from penstock.execution import load_pipeline
from penstock.pipelines import EntryPoint, pipeline

BODY = "import penstock as ps\n\n\n@ps.pipeline\ndef job(): ...\n"


@pytest.mark.parametrize(
    ("text", "module", "name", "is_file"),
    [
        ("job.py", "job.py", "", True),
        ("jobs/job.py:nightly", "jobs/job.py", "nightly", True),
        ("package.module:job", "package.module", "job", False),
        ("package.module", "package.module", "", False),
        ("C:/jobs/job.py", "C:/jobs/job.py", "", True),
        ("C:\\jobs\\job.py:nightly", "C:\\jobs\\job.py", "nightly", True),
        ("", "", "", False),
    ],
)
def test_an_entry_point_is_parsed_and_written_back(text, module, name, is_file):
    entry = EntryPoint.parse(text)
    assert (entry.module, entry.name, entry.is_file) == (module, name, is_file)
    assert str(entry) == text


def test_a_file_is_placed_in_a_folder_and_a_module_is_not():
    folder = Path("/project")
    assert str(EntryPoint.parse("job.py:job").below(folder)) == "/project/job.py:job"
    assert str(EntryPoint.parse("module:job").below(folder)) == "module:job"


def test_a_pipelines_entry_point_finds_it_again_or_is_none(tmp_path):
    (tmp_path / "job.py").write_text(BODY)
    job = load_pipeline(f"{tmp_path}/job.py")
    entry = EntryPoint.of(job, tmp_path)
    assert str(entry) == "job.py:job"
    assert load_pipeline(entry.below(tmp_path)) is job
    assert EntryPoint.of(job, Path("/elsewhere")) is None

    @pipeline
    def inside(): ...

    assert EntryPoint.of(inside, tmp_path) is None
