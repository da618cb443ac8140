"""Operations are the methods of the protocols, and each has a permission."""

import pytest

from penstock.core import ParameterError, Permission, Stage, StageEvent, now
from penstock.stores import rest
from penstock.stores.rest import RULES, operations
from penstock.stores.rest import _operations as module


def test_an_operation_without_a_permission_stops_the_start(monkeypatch):
    rules = {noun: dict(verbs) for noun, verbs in RULES.items()}
    del rules["runs"]["search"]
    monkeypatch.setattr(module, "RULES", rules)
    module.operations.cache_clear()
    with pytest.raises(TypeError, match=r"runs\.search declares no permission"):
        operations()
    monkeypatch.undo()
    assert "search" in operations()["runs"]


def test_nothing_that_changes_the_store_is_for_readers():
    # Reading verbs only: whoever adds a method that changes something sees it here.
    readers = {
        f"{noun}.{verb}"
        for noun, verbs in operations().items()
        for verb, operation in verbs.items()
        if operation.rule.only_reads
    }
    starts = ("get", "list", "search", "count", "history", "last_", "version_at", "change_counter")
    others = {name for name in readers if not name.partition(".")[2].startswith(starts)}
    assert others == {
        "bytes.claims",
        "bytes.exists",
        "bytes.link",
        "bytes.verify",
        "bytes.written_at",
        "steps.find_run",
    }


@pytest.mark.parametrize(
    ("stages", "needed"),
    [
        ((Stage.NONE, Stage.STAGING), {Permission.WRITE}),
        ((Stage.STAGING, Stage.PRODUCTION), {Permission.OPERATE}),
        ((Stage.PRODUCTION, Stage.ARCHIVED), {Permission.OPERATE}),
        ((Stage.STAGING, Stage.REJECTED), {Permission.APPROVE}),
    ],
)
def test_a_move_needs_what_it_changes(stages, needed):
    before, after = stages
    move = StageEvent("m", 1, before, after, "ada", "why", now())
    rule = operations()["models"]["move_stages"].rule
    assert rule.demands({"moves": [move]}) - {Permission.READ} == needed


def test_settings_that_promotions_rest_on_are_for_admins():
    rule = operations()["settings"]["set"].rule
    assert Permission.ADMIN in rule.demands({"name": "single_user"})
    assert Permission.ADMIN not in rule.demands({"name": "trigger:x"})


def test_an_unknown_argument_is_refused_with_a_proposal():
    with pytest.raises(ParameterError, match=r"'limits'.*Did you mean 'limit'"):
        operations()["runs"]["search"].read_arguments({"limits": 5})
    with pytest.raises(ParameterError, match="'colour' of a run cannot be changed"):
        operations()["runs"]["update"].read_arguments({"run_id": "a", "colour": 5})
    assert rest.operations is operations
