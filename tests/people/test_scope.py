"""Two teams in one store: neither sees nor changes what is the other's, by any noun."""

import inspect
from dataclasses import replace
from typing import Any

import pytest

from penstock.core import (
    AccessError,
    Edge,
    Identity,
    LogLine,
    NotFoundError,
    ParameterError,
    Permission,
    Role,
    SnapshotRecord,
    StepState,
    local_identity,
    to_json,
    use_identity,
)
from penstock.people import Projects, scope_metadata, scope_store
from penstock.registry import Registry
from penstock.testing._records import (
    START,
    a_deployment,
    a_prediction,
    a_run,
    a_step,
    a_version,
    an_alert,
)

TEAMS = ("tips", "fraud")


def who(*roles: Role, project: str = "tips") -> Identity:
    permissions: frozenset[Permission] = frozenset().union(*(role.permissions for role in roles))
    return Identity("ada", {project: permissions}, "token pst_1")


@pytest.fixture
def both(store):
    """The same things twice: names of one team say so, and so do all their ids."""
    metadata = store.metadata
    for team in TEAMS:
        Projects(store=store).add(team)
        run = a_run(run_id=f"{team}-run", experiment=team, user=f"{team}-user")
        metadata.runs.create(run)
        step = a_step(run.run_id, step_run_id=f"{team}-step", key=f"{team}-key")
        metadata.steps.start(step)
        line = LogLine(START, "stdout", f"{team} says hello")
        metadata.steps.finish(replace(step, state=StepState.FINISHED), logs=[line])
        metadata.models.create_version(a_version(team, content=team), actor=team)
        metadata.deployments.save(a_deployment(name=team, model=team), expected_generation=None)
        metadata.deployments.save_alert(an_alert(f"{team}-alert", deployment=team, model=team))
        metadata.predictions.add([a_prediction(f"{team}-prediction", deployment=team, model=team)])
        metadata.artifacts.add_snapshot(
            SnapshotRecord(team, run.run_id, START, {}, f"{team}-digest", "x", 3)
        )
        metadata.runs.create_experiment(f"{team}-empty")
        metadata.artifacts.add_edges(
            [
                Edge(f"source:{team}", f"run:{team}-run", "read"),
                Edge(f"run:{team}-run", f"version:{team}@1", "made"),
                Edge(f"version:{team}@1", f"deployment:{team}", "answers"),
                Edge("artifact:shared", f"version:{team}@1", "trained on"),
            ]
        )
    return store


# What each reading method of the store is called with, by the names of its parameters.
VALUES: dict[str, Any] = {
    "run_id": "{}-run",
    "model": "{}",
    "version": 1,
    "deployment": "{}",
    "source": "{}",
    "prediction_id": "{}-prediction",
    "prediction_ids": ["tips-prediction", "fraud-prediction"],
    "step_run_id": "{}-step",
    "at": START,
    "key": "{}-key",
}
READS = {
    "runs": "get search count list_experiments search_experiments",
    "steps": "list list_decisions list_logs find_cached find_run",
    "artifacts": "list last_snapshot list_snapshots list_sources list_proofs",
    "models": "search search_versions get_version list_versions list_stage_events list_approvals list",
    "deployments": "get list_events list_reports list_alerts list",
    "predictions": "get get_many count list",
    "hooks": "list count_events",
}
CALLS = [(noun, verb) for noun, verbs in READS.items() for verb in verbs.split()]


def ask(metadata: Any, noun: str, verb: str, team: str) -> Any:
    method = getattr(getattr(metadata, noun), verb)
    real = getattr(method, "args", (None, method))[-1]  # behind the wrapper's partial
    options = {}
    for name, parameter in inspect.signature(real).parameters.items():
        if name == "name":
            options[name] = team
        elif parameter.default is inspect.Parameter.empty:
            value = VALUES[name]
            options[name] = value.format(team) if isinstance(value, str) else value
    return method(**options)


def refused(call: Any) -> Any:
    """Return what a call returns; nothing if it is refused for the other project."""
    try:
        return call()
    except AccessError as error:
        if "'ada' has no permission to read in project 'fraud'" in str(error):
            return None
        raise
    except NotFoundError as error:  # an id of the other project is unknown
        return error.what.replace("fraud", "")


@pytest.mark.parametrize(("noun", "verb"), CALLS)
def test_a_reader_of_one_project_sees_nothing_of_another(both, noun, verb):
    whole = ask(both.metadata, noun, verb, "tips")
    with use_identity(who(Role.VIEWER)):
        scoped = scope_metadata(both.metadata)
        mine = ask(scoped, noun, verb, "tips")
        assert "fraud" not in repr(to_json(mine))
        others = refused(lambda: ask(scoped, noun, verb, "fraud"))
        assert "fraud" not in repr(to_json(others))
    if "fraud" not in repr(to_json(whole)) and verb != "count":
        assert mine == whole  # and of one's own everything


def test_a_search_finds_full_pages_of_ones_own(both):
    for number in range(20):
        for team in TEAMS:
            both.metadata.runs.create(a_run(run_id=f"{team}-{number:02}", experiment=team))
    with use_identity(who(Role.VIEWER)):
        runs = scope_metadata(both.metadata).runs
        page = runs.search(limit=15)
        assert len(page) == 15
        more = runs.search(limit=15, after=page[-1].run_id)
        assert {run.experiment for run in [*page, *more]} == {"tips"}
        assert len(page) + len(more) == runs.count() == 21
        assert (
            runs.search("experiment = 'fraud' or experiment = 'tips'", limit=5)[0].experiment
            == "tips"
        )
        assert runs.search("experiment = 'fraud'") == []


@pytest.mark.parametrize(
    "trick",
    [
        "name like '%') or (name like '%'",
        "name like '%') or (experiment = 'fraud'",
        "name like '%' or experiment = 'fraud'",
        "not (experiment = 'tips')",
        "name like '%') --",
        "name = '' or '' = ''",
        "experiment in ('fraud') or name is not null",
    ],
)
def test_no_filter_finds_anything_of_another_project(both, trick):
    with use_identity(who(Role.VIEWER)):
        runs = scope_metadata(both.metadata).runs
        for ask_for in (runs.search, runs.count):
            try:
                found = ask_for(trick)
            except ParameterError:
                continue  # it is no filter on its own
            assert found in (0, 1) if ask_for == runs.count else "fraud" not in repr(found)


CHANGES = [
    lambda m: m.runs.create(a_run(experiment="fraud-2")),
    lambda m: m.runs.update("fraud-run", note="x"),
    lambda m: m.runs.update("tips-run", experiment="fraud"),
    lambda m: m.runs.set_tags("fraud-run", {"a": "b"}),
    lambda m: m.runs.create_experiment("fraud-3"),
    lambda m: m.runs.rename_experiment("tips", "fraud-3"),
    lambda m: m.steps.start(a_step("fraud-run", step="x")),
    lambda m: m.models.create_version(a_version("fraud-2"), actor="ada"),
    lambda m: m.models.update("fraud", note="x"),
    lambda m: m.models.set_version_tags("fraud", 1, {"a": "b"}),
    lambda m: m.deployments.save(a_deployment(name="tips", model="fraud"), expected_generation=1),
    lambda m: m.deployments.save(a_deployment(name="fraud", model="tips"), expected_generation=1),
    lambda m: m.deployments.save_alert(an_alert("x", deployment="fraud", model="fraud")),
    lambda m: m.predictions.add([a_prediction("x", deployment="tips", model="fraud")]),
    lambda m: m.metrics.copy("fraud-run", "tips-run"),
    lambda m: m.metrics.copy("tips-run", "fraud-run"),
    lambda m: m.schedules.delete("fraud"),
    lambda m: m.hooks.delete("x"),
    lambda m: m.artifacts.log_many("fraud-run", {}),
]


@pytest.mark.parametrize("change", CHANGES)
def test_all_roles_in_one_project_change_nothing_in_another(both, change):
    with both.metadata.database.read() as reading:
        before = [
            reading.execute(f"SELECT * FROM {t}").fetchall()
            for t in ("runs", "models", "deployments")
        ]
    with use_identity(who(*Role)):
        scoped = scope_metadata(both.metadata, list(Permission))
        with pytest.raises(
            (AccessError, NotFoundError), match=r"has no permission to|no run 'fraud"
        ):
            change(scoped)
    with both.metadata.database.read() as reading:
        after = [
            reading.execute(f"SELECT * FROM {t}").fetchall()
            for t in ("runs", "models", "deployments")
        ]
    assert after == before


def test_ones_own_is_changed(both):
    with use_identity(who(Role.TRAINER)):
        scoped = scope_metadata(both.metadata, [Permission.WRITE])
        scoped.runs.create(a_run(run_id="new", experiment="tips-2"))
        scoped.runs.update("new", note="x")
        scoped.models.create_version(a_version("tips-2", content="x"), actor="ada")
    assert both.metadata.runs.get("new").note == "x"
    assert both.metadata.models.list() == ["fraud", "tips", "tips-2"]


def test_who_may_everywhere_gets_the_store_itself(both):
    for identity in (local_identity(), who(Role.VIEWER, project="*")):
        with use_identity(identity):
            assert scope_metadata(both.metadata) is both.metadata
            assert scope_store(store=both) is both
    assert scope_metadata(both.metadata) is both.metadata
    with use_identity(who(Role.VIEWER, project="*")):
        assert scope_metadata(both.metadata, [Permission.WRITE]) is not both.metadata


def test_functions_of_other_packages_work_on_the_scoped_store(both):
    with use_identity(who(Role.VIEWER)):
        registry = Registry(store=scope_store(store=both))
        assert [version.model for version in registry.list()] == ["tips"]
        with pytest.raises(AccessError):
            registry.get("fraud")


def test_metrics_are_of_their_run(both):
    with use_identity(who(Role.VIEWER)):
        metrics = scope_metadata(both.metadata).metrics
        assert len(metrics.history("tips-run", "loss").steps) == 0
        with pytest.raises(NotFoundError, match="There is no run 'fraud-run'"):
            metrics.history("fraud-run", "loss")


def test_lineage_shows_ones_own_branches(both):
    with use_identity(who(Role.VIEWER)):
        artifacts = scope_metadata(both.metadata).artifacts
        found = artifacts.list_edges("artifact:shared", direction="down")
        assert {edge.target for edge in found} == {"version:tips@1", "deployment:tips"}
        for node in ("version:fraud@1", "source:fraud", "run:fraud-run", "deployment:fraud"):
            with pytest.raises(NotFoundError if "run" in node else AccessError):
                artifacts.list_edges(node, direction="down")


def test_a_prediction_of_another_project_is_unknown_as_one_that_is_not(both):
    truth = {"tips-prediction": "no", "fraud-prediction": "no", "nowhere": "no"}
    with use_identity(who(*Role)):
        scoped = scope_metadata(both.metadata, [Permission.OPERATE])
        unknown = scoped.predictions.add_truth(truth, START)
        assert unknown == ["fraud-prediction", "nowhere"]
    assert both.metadata.predictions.get("tips-prediction").truth == "no"
    assert both.metadata.predictions.get("fraud-prediction").truth is None
    with use_identity(who(Role.VIEWER)):
        scoped = scope_metadata(both.metadata, [Permission.OPERATE])
        with pytest.raises(AccessError, match="no permission to operate in project 'tips'"):
            scoped.predictions.add_truth(truth, START)
        assert scoped.predictions.add_truth({"fraud-prediction": 1}, START) == ["fraud-prediction"]
