"""``MetadataStoreContract``: the test suite of every metadata back end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.core import MetricPoint, StepState
from penstock.stores import MetadataStore
from penstock.testing._artifact_contract import ArtifactContract
from penstock.testing._deployment_contract import DeploymentContract
from penstock.testing._document_contract import DocumentContract
from penstock.testing._hook_contract import HookContract
from penstock.testing._metric_contract import MetricContract
from penstock.testing._model_contract import ModelContract
from penstock.testing._people_contract import PeopleContract
from penstock.testing._prediction_contract import PredictionContract
from penstock.testing._records import START, a_run, a_step, a_version
from penstock.testing._run_contract import RunContract
from penstock.testing._schedule_contract import ScheduleContract
from penstock.testing._setting_contract import SettingContract
from penstock.testing._step_contract import StepContract


class MetadataStoreContract(
    RunContract,
    MetricContract,
    StepContract,
    ArtifactContract,
    ModelContract,
    DeploymentContract,
    DocumentContract,
    PredictionContract,
    ScheduleContract,
    HookContract,
    PeopleContract,
    SettingContract,
):
    """Base class of tests; a subclass returns an empty store from the fixture ``metadata``.

    Example::

        class TestSQLite(MetadataStoreContract):
            @pytest.fixture
            def metadata(self, tmp_path):
                return open_store(f"sqlite:///{tmp_path}/penstock.db").metadata
    """

    @pytest.fixture
    def metadata(self) -> MetadataStore:
        """Return an empty store; replaced by the subclass."""
        raise NotImplementedError

    @pytest.fixture
    def run_id(self, metadata: MetadataStore) -> str:
        """Return the id of a run to log to."""
        run = a_run()
        metadata.runs.create(run)
        return run.run_id

    def test_threads_write_at_once_and_nothing_is_lost(self, metadata: MetadataStore) -> None:
        run = a_run()
        metadata.runs.create(run)
        start = threading.Barrier(8)

        def work(thread: int) -> None:
            start.wait()
            for index in range(10):
                point = MetricPoint(f"m{thread}", float(index), index, START)
                metadata.metrics.log(run.run_id, [point])
                metadata.steps.finish(
                    a_step(run.run_id, f"{thread}-{index}", state=StepState.FINISHED)
                )

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        metrics = metadata.runs.get(run.run_id).metrics
        assert {key: summary.count for key, summary in metrics.items()} == {
            f"m{thread}": 10 for thread in range(8)
        }
        assert len(metadata.steps.list(run.run_id)) == 80

    def test_versions_registered_at_once_get_different_numbers(
        self, metadata: MetadataStore
    ) -> None:
        def register(index: int) -> int:
            version = a_version(content=str(index))
            return metadata.models.create_version(version, actor="ada").version

        with ThreadPoolExecutor(8) as pool:
            numbers = list(pool.map(register, range(20)))
        assert sorted(numbers) == list(range(1, 21))
