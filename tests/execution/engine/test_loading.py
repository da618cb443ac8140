"""load_pipeline: by file, by name, by module, with errors that say what to do."""

import sys

import pytest

from penstock.core import DefinitionError, NotFoundError
from penstock.execution import load_pipeline

STEP = "@ps.step\ndef one() -> int:\n    return 1\n\n"
ONE = STEP + "@ps.pipeline\ndef job():\n    return one()\n"
TWO = ONE + "\n@ps.pipeline(name='nightly')\ndef second():\n    return one()\n"


def test_a_file_with_one_pipeline_needs_no_name(project):
    assert load_pipeline(str(project.write(ONE))).name == "job"
    assert load_pipeline("job.py").name == "job"
    assert load_pipeline("job.py:job") is load_pipeline("job.py")


def test_a_pipeline_is_found_by_its_variable_or_its_own_name(project):
    project.write(TWO)
    assert load_pipeline("job.py:second") is load_pipeline("job.py:nightly")
    assert load_pipeline("job:second").name == "nightly", "as a module too"


def test_several_pipelines_need_a_name(project):
    project.write(TWO)
    with pytest.raises(DefinitionError, match=r"2 pipelines: job, second\. Name one: job\.py:job"):
        load_pipeline("job.py")
    with pytest.raises(NotFoundError, match="Did you mean 'second'"):
        load_pipeline("job.py:secnd")


def test_imported_pipelines_count_only_if_there_are_no_others(project):
    project.write(ONE, file="library.py")
    project.write("from library import job as imported\n" + ONE.replace("def job", "def own"))
    assert load_pipeline("job.py").name == "own"
    project.write("from library import job as imported\n")
    assert load_pipeline("job.py").name == "job"


def test_a_file_without_a_pipeline_is_told(project):
    project.write("x = 1\n")
    with pytest.raises(NotFoundError, match="defines no pipeline"):
        load_pipeline("job.py")


def test_a_missing_file_or_module_is_told_with_did_you_mean(project):
    project.write(ONE)
    with pytest.raises(NotFoundError, match=r"Did you mean 'job\.py'"):
        load_pipeline("jbo.py")
    with pytest.raises(NotFoundError, match="Did you mean 'job'"):
        load_pipeline("jbo:job")
    with pytest.raises(NotFoundError, match="no file"):
        load_pipeline("nowhere/job.py")


def test_a_folder_and_a_file_of_another_type_are_no_modules(project):
    (project.folder / "churn").mkdir()
    with pytest.raises(NotFoundError, match=r"churn is a folder.* Give a file"):
        load_pipeline("churn")
    project.write(ONE, file="churn/churn.py")
    project.write("", file="churn/test_churn.py")
    with pytest.raises(
        NotFoundError, match=r"churn is a folder.* Name the file: churn/churn\.py\."
    ):
        load_pipeline("churn")
    project.write("a,b\n1,2\n", file="table.csv")
    with pytest.raises(
        NotFoundError, match=r"no Python file.* penstock new NAME --data table\.csv"
    ):
        load_pipeline("table.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", r"job\.py:1: .*invalid"),
        ("\n\n1 / 0\n", r"job\.py:3: ZeroDivisionError"),
        ("import no_such_module_x\n", r"job\.py:1: ModuleNotFoundError: No module named"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_with_its_line(project, text, words):
    project.write(text, head="")
    with pytest.raises(DefinitionError, match=words):
        load_pipeline("job.py")
    assert "job" not in sys.modules
    with pytest.raises(DefinitionError):
        load_pipeline("job:job")


def test_definition_errors_of_the_file_itself_pass_through(project):
    project.write("@ps.pipeline\ndef job(seed): ...\n")
    with pytest.raises(DefinitionError, match="parameter 'seed'"):
        load_pipeline("job.py")
    with pytest.raises(DefinitionError, match="parameter 'seed'"):
        load_pipeline("job:job")


def test_files_beside_it_the_project_and_src_are_importable(project):
    (project.folder / "src" / "mine").mkdir(parents=True)
    (project.folder / "src" / "mine" / "__init__.py").write_text("A = 1\n")
    (project.folder / "top.py").write_text("B = 2\n")
    inner = project.folder / "flows"
    inner.mkdir()
    (inner / "beside.py").write_text("C = 3\n")
    head = "import penstock as ps\nfrom mine import A\nfrom top import B\nfrom beside import C\n"
    (inner / "flow.py").write_text(head + ONE)
    assert load_pipeline("flows/flow.py").name == "job"


def test_a_changed_file_is_loaded_again_and_an_unchanged_one_is_not(project):
    project.write(ONE)
    first = load_pipeline("job.py")
    project.write(ONE.replace("return 1", "return 22"))
    second = load_pipeline("job.py")
    assert first is not second
    assert load_pipeline("job.py") is second


def test_a_file_named_like_another_module_does_not_hide_it(project):
    project.write(ONE, file="json.py")
    assert load_pipeline("json.py").name == "job"
    assert sys.modules["json"].__name__ == "json"
    assert hasattr(sys.modules["json"], "loads")


def test_a_run_at_the_end_of_a_file_does_not_start_while_it_is_loaded(project):
    text = ONE + "\nresult = ps.run(job)\nraise SystemExit('never reached')\n"
    assert load_pipeline(str(project.write(text))).name == "job"
    assert project.store.metadata.runs.count() == 0
