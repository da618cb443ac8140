"""export_pipeline and export_run: a pipeline from its file, or from what a run has recorded."""

import pytest
from tests.execution.conftest import project  # noqa: F401 - the fixture

from penstock.core import ParameterError
from penstock.exporters import ENGINES, export_pipeline, export_run
from penstock.pipelines import pipeline, step

JOB = """
@ps.step(retries=2, timeout="1m")
def numbers(count: int) -> list[int]:
    return list(range(count))

@ps.step
def double(number: int) -> int:
    return 2 * number

@ps.pipeline
def job(count: int = 2):
    return ps.map(double, numbers(count))
"""


@pytest.mark.parametrize("to", ENGINES)
def test_a_recorded_run_gives_the_file_of_its_pipeline(project, to):  # noqa: F811
    loaded = project.load(JOB)
    result = project.again(loaded)
    run = project.store.metadata.runs.get(result.run_id)
    assert export_run(run, to=to) == export_pipeline(loaded, to=to)


def test_a_pipeline_in_no_file_and_an_unknown_engine_are_refused():
    @step
    def one() -> int:
        return 1

    @pipeline
    def here():
        one()

    with pytest.raises(ParameterError, match="in no file"):
        export_pipeline(here, to="airflow")
    with pytest.raises(ParameterError, match="airflow"):
        export_pipeline(here, to="airflov")  # type: ignore[arg-type]  # what is tested
