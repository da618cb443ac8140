"""RayRunner on a real Ray: the same keys and digests, resources, lost nodes, what is cancelled."""

import pytest
from tests.execution.runners.test_processes import outcome
from tests.execution.test_control import LOOP, NESTED, STREAM, WHEN
from tests.execution.test_control import body as mapped
from tests.ray_nodes import run_script

from penstock.core import RunState

ray = pytest.importorskip("ray", reason="needs ray; get it with: pip install 'penstock[ray]'")


@pytest.fixture(scope="module")
def cluster():
    """One Ray for all tests here: two cores."""
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False,
        _node_ip_address="127.0.0.1",
    )  # fmt: skip
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("source", "params"),
    [(mapped(), {"count": 5}), (NESTED, {}), (WHEN, {"count": 30}), (LOOP, {}), (STREAM, {})],
    ids=["map", "nested", "when", "loop", "stream"],
)
def test_ray_gives_the_keys_and_digests_of_the_local_runner(project, source, params):
    here = outcome(project, project.run(source, use_cache=False, **params))
    result = project.again(project.load(source), runner="ray", use_cache=False, **params)
    assert result.ok, result.error
    assert outcome(project, result) == here


@pytest.mark.usefixtures("cluster")
def test_a_step_that_ray_has_no_source_for_gets_the_recorded_one(project):
    source = """
    import pathlib

    @ps.step
    def remove() -> int:
        pathlib.Path("__FILE__").unlink(missing_ok=True)
        return 1

    @ps.step
    def twice(x: int) -> int:
        return 2 * x

    @ps.pipeline
    def job():
        return twice(remove())
    """
    path = project.folder / "job.py"
    result = project.run(source.replace("__FILE__", str(path)), runner="ray")
    assert not path.exists()
    assert result.ok, result.error
    assert result.output() == 2


@pytest.mark.usefixtures("cluster")
def test_a_step_that_fails_or_whose_process_dies_fails_alone(project):
    result = project.run(
        """
    import os

    @ps.step
    def item(number: int) -> int:
        if number == 1:
            raise ValueError("no")
        if number == 2:
            os._exit(7)
        return number

    @ps.pipeline
    def job():
        return ps.map(item, [0, 1, 2])
    """,
        runner="ray",
    )
    assert result.state is RunState.FAILED
    assert result["item[0]"].state.value == "finished"
    assert "ValueError: no" in result["item[1]"].error
    assert "def item" not in result["item[1]"].error
    assert result["item[2]"].error.startswith("step 'item[2]' failed: its process ended (Worker")


@pytest.mark.usefixtures("cluster")
def test_what_a_step_prints_is_shown_and_kept(project, capfd):
    result = project.run(
        """
    @ps.step
    def loud() -> int:
        print("heard from afar")
        return 1

    @ps.pipeline
    def job():
        return loud()
    """,
        runner="ray",
    )
    assert "heard from afar" in capfd.readouterr().err
    step = project.steps(result.run_id)["loud"]
    assert [line.text for line in project.store.metadata.steps.list_logs(step.step_run_id)] == [
        "heard from afar"
    ]


LOSING = """
import pathlib, sys, threading, time

from tests.ray_nodes import cluster_of

import penstock as ps
from penstock.execution import QuietReporter


def lose(cluster, nodes):
    while not (found := list(pathlib.Path(".").glob("node-*"))):
        time.sleep(0.05)
    pathlib.Path("lost").touch()
    node = next(node for node in nodes if found[0].name.endswith(node.node_id))
    cluster.remove_node(node, allow_graceful=False)  # as a spot machine that is taken away


with cluster_of(2, cpus=2, head_cpus=1) as parts:
    threading.Thread(target=lose, args=parts, daemon=True).start()
    result = ps.run("job.py", runner="ray", reporter=QuietReporter(), store=sys.argv[1])
print("RESULT", result.run_id, result.ok, result.error, flush=True)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("one_cluster")
def test_a_step_on_a_node_that_is_lost_is_executed_elsewhere(project):
    project.write("""
    import pathlib, time

    import ray

    @ps.step(resources=ps.Resources(cpu=2))
    def slow(number: int) -> int:
        pathlib.Path(f"node-{ray.get_runtime_context().get_node_id()}").touch()
        time.sleep(0 if pathlib.Path("lost").exists() else 120)
        return number

    @ps.pipeline
    def job():
        return slow(5)
    """)
    said = run_script(LOSING, project.store.url, folder=project.folder, timeout=150)
    told = next(line for line in said if line.startswith("RESULT "))
    _, run_id, ok, error = told.split(" ", 3)
    assert ok == "True", error
    assert len(list(project.folder.glob("node-*"))) == 2
    assert project.steps(run_id)["slow"].attempt == 1
