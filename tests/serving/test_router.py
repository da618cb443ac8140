import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.stores.hostile_models import hostile_files

from penstock.core import DeploymentState, NotFoundError, ServingError, Stage, StageEvent, now
from penstock.http import HttpError
from penstock.serving import RolloutRules, deploy
from penstock.serving._presence import Presence
from penstock.serving._router import Reloader, Router
from penstock.serving._served_version import ServedVersion

MODEL = "big-tips"


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Versions in this set cannot be loaded; patched, as the registry takes no broken model."""
    numbers: set[int] = set()
    load = ServedVersion.load

    def load_or_fail(store: Any, record: Any, form: Any) -> ServedVersion:
        if record.version in numbers:
            raise ServingError(what="The file is damaged.")
        return load(store, record, form)

    monkeypatch.setattr(ServedVersion, "load", load_or_fail)
    return numbers


def loaded(world: Any, **more: Any) -> Router:
    router = Router(world.store, [MODEL], **more)
    router.refresh()
    return router


def test_a_model_in_production_gets_its_deployment_and_is_live(served: Any) -> None:
    router = loaded(served)
    assert router.ready
    assert router.route(MODEL).current.version == 1
    assert served.store.metadata.deployments.get(MODEL).state is DeploymentState.LIVE


def test_a_deployment_follows_the_production_version(served: Any) -> None:
    router = loaded(served)
    old = router.route(MODEL)
    served.register(0.5)
    router.poll()
    assert router.route(MODEL).current.version == 1
    served.promote(2)
    router.poll()
    assert router.route(MODEL).current.version == 2
    assert old.current.version == 1, "a request that began before the swap keeps its version"
    served.registry.rollback(MODEL, actor="ann", reason="It is worse.")
    router.poll()
    assert router.route(MODEL).current.version == 1
    assert served.events().count("followed") == 2


def test_polling_without_a_change_builds_nothing(served: Any) -> None:
    router = loaded(served)
    router.poll()
    table = router.routes
    for _ in range(3):
        router.poll()
    assert router.routes is table


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(
    served: Any, broken: set[int]
) -> None:
    router = loaded(served)
    served.register(0.5)
    broken.add(2)
    served.promote(2)
    router.poll()
    router.poll()
    assert router.route(MODEL).current.version == 1
    assert router.failed == ["big-tips@2"]
    assert served.events().count("load_failed") == 1
    (alert,) = served.store.metadata.deployments.list_alerts(MODEL, open_only=True)
    assert (alert.kind, alert.subject) == ("errors", "version 2")
    assert "The file is damaged" in alert.message


def test_a_version_that_loads_later_is_taken_up_and_its_alert_resolved(
    served: Any, broken: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.serving._router._RETRY_LOAD_S", 0.0)
    router = loaded(served)
    served.register(0.5)
    broken.add(2)
    served.promote(2)
    router.poll()
    broken.clear()
    router.poll()
    assert router.route(MODEL).current.version == 2
    assert router.failed == []
    assert served.store.metadata.deployments.list_alerts(MODEL, open_only=True) == []


def test_a_canary_that_cannot_be_loaded_is_rolled_back(served: Any, broken: set[int]) -> None:
    router = loaded(served)
    served.register(0.5)
    broken.add(2)
    deploy(MODEL, canary=(50, 100), store=served.store)
    router.poll()
    record = served.store.metadata.deployments.get(MODEL)
    assert record.rollout is not None
    assert record.rollout.state == "rolled_back"
    assert "cannot be loaded" in record.rollout.reason
    assert router.route(MODEL).record.weights == {1: 1.0}


def test_a_server_that_starts_during_a_broken_canary_serves_the_control(
    served: Any, broken: set[int]
) -> None:
    served.register(0.5)
    deploy(MODEL, canary=(50, 100), store=served.store)
    broken.add(2)
    assert loaded(served).route(MODEL).record.weights == {1: 1.0}


def test_nothing_loadable_is_not_ready(served: Any, broken: set[int]) -> None:
    broken.add(1)
    router = loaded(served)
    assert not router.ready
    with pytest.raises(
        HttpError, match=r"version 1 cannot be loaded \(The file is damaged\)"
    ) as told:
        router.route(MODEL)
    assert told.value.status == 503


def test_a_deployment_whose_version_was_taken_out_of_use_answers_no_more(served: Any) -> None:
    router = loaded(served)
    assert router.route(MODEL).current.version == 1
    metadata, record = served.store.metadata, served.registry.get(MODEL, 1)
    # The registry refuses this while a deployment answers; an older store may have it.
    move = StageEvent(MODEL, 1, Stage.PRODUCTION, Stage.ARCHIVED, "ann", "Old.", now())
    metadata.models.move_stages([move], expected={1: record.revision})
    router.poll()
    with pytest.raises(HttpError, match="version 1 is archived, and no version is in production"):
        router.route(MODEL)


def test_polling_moves_a_rollout_on(served: Any) -> None:
    served.register(0.5)
    rules = RolloutRules(step_requests=10, max_error_rate_increase=0.5)
    deploy(MODEL, canary=(50, 100), rules=rules, store=served.store)
    router = loaded(served)
    served.add_predictions(2, 10)
    router.poll()
    assert router.route(MODEL).record.weights[2] == 1.0
    served.add_predictions(2, 10)
    router.poll()
    assert router.route(MODEL).record.control == 2
    assert list(router.route(MODEL).versions) == [2]


def test_without_names_every_model_in_production_is_served(served: Any) -> None:
    router = Router(served.store)
    router.refresh()
    assert list(router.routes) == [MODEL]
    deploy(MODEL, name="tips-eu", store=served.store)
    router.poll()
    assert sorted(router.routes) == [MODEL, "tips-eu"]


def test_an_unknown_deployment_is_guessed(served: Any) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'big-tips'"):
        loaded(served).route("big-tip")


def test_a_version_that_is_not_served_is_refused_by_number(served: Any) -> None:
    with pytest.raises(NotFoundError, match="does not serve version 9"):
        loaded(served).route(MODEL).choose(None, 9)


def test_the_reloader_outlives_a_store_that_fails(served: Any, caplog: Any) -> None:
    router = loaded(served)
    polls = 0
    poll = router.poll

    def flaky() -> None:
        nonlocal polls
        polls += 1
        if polls <= 2:
            raise OSError("database is gone")
        poll()

    router.poll = flaky  # type: ignore[method-assign]  # the failing part, swapped
    reloader = Reloader(router, 0.01, Presence(served.store, None))
    reloader.start()
    served.register(0.5)
    served.promote(2)
    end = time.monotonic() + 60
    while router.route(MODEL).current.version == 1 and time.monotonic() < end:
        time.sleep(0.01)
    reloader.stop()
    assert router.route(MODEL).current.version == 2
    assert len([line for line in caplog.messages if "cannot be polled" in line]) == 1


def test_a_file_that_kills_what_reads_it_leaves_the_server_serving(
    served: Any, tmp_path: Path
) -> None:
    """A forged version of another machine: its native bytes end the process of a plain load."""
    files = {each.name: each for each in hostile_files(str(tmp_path / "canary"))}
    router = loaded(served)
    for name in ("damaged catboost 28", "damaged lightgbm 4", "0 bytes of xgboost"):
        file = files[name]
        digest, inline, size = served.store.keep_bytes(file.data)
        first = served.registry.get(MODEL, 1)
        stored = replace(
            served.store.metadata.artifacts.get(first.artifact),
            digest=digest,
            content_digest=digest,
            format=file.format,
            inline=inline,
            size_bytes=size,
            metadata=file.metadata,
        )
        served.store.metadata.artifacts.add([stored])
        forged = replace(first, version=0, stage=Stage.NONE, artifact=digest, content_digest=digest)
        version = served.store.metadata.models.create_version(forged, actor="eve").version
        served.registry.promote(MODEL, version, actor="eve", reason="Mine.", force_reason="Mine.")
        router.refresh()
        assert f"{MODEL}@{version}" in router.failed
        assert router.route(MODEL).current.version == 1
        assert router.route(MODEL).current.predict([{"miles": 3.0, "hour": 7}]).values
