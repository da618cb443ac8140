"""Many promoters at once: one production version, nothing lost, every loser told (R2)."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.core import ConflictError, GateResult, GateState, Stage
from penstock.registry import Registry

PROMOTERS = 16


def entries(registry):
    events = registry.history("tips")
    return [event.version for event in events if event.to_stage is Stage.PRODUCTION]


def check_history(registry):
    """Every entry into production follows the archiving of the one before, in one transaction."""
    moves = [event for event in registry.history("tips") if event.from_stage != event.to_stage]
    champion = None
    for event in moves:
        if event.to_stage is Stage.PRODUCTION:
            assert champion is None
            champion = event.version
        elif event.version == champion:
            champion = None
    assert registry.champion("tips").version == champion
    assert registry.verify_history("tips") is None
    versions = registry.list("tips")
    assert [v.version for v in versions if v.stage is Stage.PRODUCTION] == [champion]


def at_once(actions):
    barrier = threading.Barrier(len(actions))

    def run(action):
        barrier.wait()
        try:
            return action()
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_of_many_promoters_of_one_version_one_wins(registry, add):
    add()
    results = at_once([lambda: registry.promote("tips", 1, actor="ada")] * PROMOTERS)
    won = [result for result in results if not isinstance(result, ConflictError)]
    assert len(won) == 1
    assert entries(registry) == [1]
    assert all("already" in str(r) or "Someone else" in str(r) for r in results if r not in won)


def test_promoters_of_different_versions_lose_nothing(registry, add):
    for _ in range(PROMOTERS):
        add()
    results = at_once(
        [
            lambda number=number: registry.promote("tips", number, actor=f"user{number}")
            for number in range(1, PROMOTERS + 1)
        ]
    )
    won = sorted(result.version for result in results if not isinstance(result, ConflictError))
    assert won
    assert sorted(entries(registry)) == won
    check_history(registry)


def test_of_many_automatic_rollbacks_one_happens(registry, add):
    for number in (1, 2):
        add()
        registry.promote("tips", number)
    results = at_once([lambda: registry.rollback("tips", expected=2)] * PROMOTERS)
    assert sum(not isinstance(result, ConflictError) for result in results) == 1
    assert entries(registry) == [1, 2, 1]


def test_whoever_loses_a_promotion_has_approved_nothing(registry, add):
    add()
    results = at_once(
        [
            lambda name=name: registry.promote("tips", 1, actor=f"user{name}")
            for name in range(PROMOTERS)
        ]
    )
    (won,) = [result for result in results if not isinstance(result, ConflictError)]
    (approval,) = registry.approvals("tips", won.version)
    assert approval.actor == registry.history("tips")[-1].actor


def test_judging_meanwhile_does_not_stop_a_promotion(registry, add):
    add()
    passed = GateResult("roc_auc >= 0.7", GateState.PASSED, "fine")
    judged = [lambda: registry.record_gates("tips", 1, [passed])] * 4
    results = at_once([*judged, lambda: registry.promote("tips", 1)])
    assert not [result for result in results if isinstance(result, ConflictError)]
    assert registry.champion("tips").gates == (passed,)


def test_registering_at_once_gives_dense_numbers(registry, add):
    results = at_once([add] * 8)
    assert sorted(version.version for version in results) == list(range(1, 9))


def test_a_promotion_decided_on_an_older_champion_is_refused(store, registry, add):
    for _ in range(3):
        add()
    registry.promote("tips", 1)
    meanwhile = Registry(store=store)
    original = store.metadata.models.move_stages

    def late(moves, **options):
        store.metadata.models.move_stages = original
        meanwhile.promote("tips", 3, actor="bob")
        original(moves, **options)

    store.metadata.models.move_stages = late
    with pytest.raises(ConflictError, match=r"Someone else moved.*tips@3 is in production now"):
        registry.promote("tips", 2, actor="ada")
    assert registry.champion("tips").version == 3
    check_history(registry)


def test_the_first_promotion_decided_on_an_empty_stage_is_refused_too(store, registry, add):
    add(), add()
    original = store.metadata.models.move_stages

    def late(moves, **options):
        store.metadata.models.move_stages = original
        registry.promote("tips", 2, actor="bob")
        original(moves, **options)

    store.metadata.models.move_stages = late
    with pytest.raises(ConflictError, match=r"tips@2 is in production now"):
        registry.promote("tips", 1, actor="ada")
    assert registry.champion("tips").version == 2


SCRIPT = """
import random, sys
from penstock.core import ConflictError
from penstock.registry import Registry
from penstock.stores import open_store

url, seed = sys.argv[1], int(sys.argv[2])
registry, chance, won = Registry(store=open_store(url)), random.Random(seed), 0
for _ in range(25):
    try:
        if chance.random() < 0.5:
            registry.promote("tips", chance.randrange(1, 41), actor=f"p{seed}")
        else:
            champion = registry.champion("tips")
            going = champion.version if champion else None
            registry.rollback("tips", actor=f"p{seed}", expected=going)
        won += 1
    except ConflictError:
        pass
print(won)
"""


def test_several_processes_lose_nothing(store, registry, add):
    for _ in range(40):
        add(card="# Card\n")
    command = [sys.executable, "-c", SCRIPT, store.url]
    workers = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True, env=os.environ)
        for seed in range(3)
    ]
    won = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(entries(registry)) == sum(won)
    assert sum(won) > 0
    check_history(registry)
