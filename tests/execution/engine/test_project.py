"""The folder of the project that a pipeline's file belongs to."""

import penstock
from penstock.execution import project_of

BODY = "@ps.pipeline\ndef job(): ...\n"


def test_the_project_is_that_of_the_pipelines_file(project, monkeypatch):
    inner = project.folder / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("")
    path = inner / "job.py"
    path.write_text(BODY)
    assert project_of(str(path)) == inner
    monkeypatch.setenv("PENSTOCK_PROJECT", str(project.folder))
    assert project_of(str(path)) == project.folder
    assert project_of(penstock.__file__) == project.folder, "installed code: the current project"
    monkeypatch.setenv("PENSTOCK_PROJECT", "/elsewhere")
    assert project_of(str(path)) == inner
    assert project_of("<stdin>") == project.folder
