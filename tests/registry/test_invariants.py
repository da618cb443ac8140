"""Laws of the registry after any sequence of operations (specs/registry.md R1 a-e)."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.core import (
    STAGE_MOVES,
    ConflictError,
    GateError,
    GateResult,
    GateState,
    NotFoundError,
    ParameterError,
    PenstockError,
    Stage,
)
from penstock.models import Model
from penstock.registry import Registry
from penstock.stores import open_store

ACTORS = st.sampled_from(["ada", "bob", "Ada "])
GATES = [GateResult("roc_auc >= 0.7", state, "as it is") for state in GateState]
numbers = itertools.count()


class Life(RuleBasedStateMachine):
    """The registry beside a model of it: stages by number, and who entered production when."""

    store = None
    estimator = None
    signature = None

    def __init__(self):
        super().__init__()
        self.registry = Registry(store=self.store)
        self.model = f"m{next(numbers)}"  # a new name is a new registry, without a new database
        self.stages: list[Stage] = []
        self.entered: list[int] = []
        self.approved: set[int] = set()
        self.gates: list[GateResult] = []
        self.frozen: list[tuple] = []

    def pick(self, data):
        return data.draw(st.integers(1, len(self.stages)))

    @property
    def champion(self):
        found = [n for n, stage in enumerate(self.stages, 1) if stage is Stage.PRODUCTION]
        return found[0] if found else None

    @property
    def earlier(self):
        """Versions that a rollback can go back to, the next one last."""
        turns = [number for number, _ in itertools.groupby(self.entered)]
        fit = turns[:-1] if self.champion else turns
        gone = {self.champion, *(n for n in fit if self.stages[n - 1] is Stage.REJECTED)}
        return [number for number in fit if number not in gone]

    def enter(self, number):
        if self.champion is not None:
            self.stages[self.champion - 1] = Stage.ARCHIVED
        self.stages[number - 1] = Stage.PRODUCTION
        self.entered.append(number)

    @rule(gate=st.sampled_from(GATES))
    def register(self, gate):
        version = self.registry.register(
            self.model,
            Model(self.estimator, self.signature),
            gates=[gate],
            trained_by="ada",
            card="# Card\n",
        )
        self.stages.append(Stage.NONE)
        self.gates.append(gate)
        assert version.version == len(self.stages)
        self.frozen.append((version.artifact, version.content_digest, version.created_at))

    @precondition(lambda self: self.stages)
    @rule(data=st.data(), actor=ACTORS)
    def approve(self, data, actor):
        number = self.pick(data)
        try:
            self.registry.approve(self.model, number, actor=actor, reason="Good.")
        except GateError:
            assert actor.strip().lower() == "ada"
        except ConflictError:
            assert self.stages[number - 1] is Stage.REJECTED
        else:
            assert actor == "bob"
            self.approved.add(number)

    @precondition(lambda self: self.stages)
    @rule(data=st.data(), force=st.booleans())
    def promote(self, data, force):
        number = self.pick(data)
        stage = self.stages[number - 1]
        fresh = stage in {Stage.NONE, Stage.STAGING} or (
            stage is Stage.ARCHIVED and number not in self.entered
        )
        good = self.gates[number - 1].state is GateState.PASSED or force
        try:
            self.registry.promote(
                self.model, number, actor="ada", force_reason="Must." if force else None
            )
        except ConflictError:
            assert not fresh
        except GateError:
            assert not (good and number in self.approved)
        else:
            assert fresh
            assert good
            assert number in self.approved
            self.enter(number)

    @precondition(lambda self: self.stages)
    @rule(data=st.data(), to=st.sampled_from([Stage.STAGING, Stage.ARCHIVED, Stage.REJECTED]))
    def move_alone(self, data, to):
        number = self.pick(data)
        stage = self.stages[number - 1]
        try:
            if to is Stage.STAGING:
                self.registry.promote(self.model, number, to=to)
            elif to is Stage.ARCHIVED:
                self.registry.archive(self.model, number)
            else:
                self.registry.reject(self.model, number, reason="Bad.")
        except ConflictError:
            assert to not in STAGE_MOVES[stage]
        else:
            assert to in STAGE_MOVES[stage]
            self.stages[number - 1] = to

    @precondition(lambda self: self.stages)
    @rule(data=st.data(), chosen=st.booleans())
    def roll_back(self, data, chosen):
        to = self.pick(data) if chosen else None
        try:
            going = None if chosen else self.champion
            version = self.registry.rollback(self.model, to=to, expected=going).version
        except ConflictError:
            rejected = chosen and self.stages[to - 1] is Stage.REJECTED
            assert rejected or (to == self.champion if chosen else not self.earlier)
        except ParameterError:
            assert to not in self.entered
        else:
            assert version == (to if chosen else self.earlier[-1])
            self.enter(version)

    @precondition(lambda self: self.champion and self.earlier and Stage.REJECTED not in self.stages)
    @rule()
    def roll_back_twice(self):
        before = self.champion
        for _ in range(2):
            self.enter(self.registry.rollback(self.model, expected=self.champion).version)
        assert self.champion == before

    @precondition(lambda self: self.stages)
    @rule(data=st.data())
    def judge(self, data):
        number, gate = self.pick(data), data.draw(st.sampled_from(GATES))
        self.registry.record_gates(self.model, number, [gate])
        self.gates[number - 1] = gate

    @invariant()
    def the_store_agrees_with_the_model(self):
        if not self.stages:
            assert self.registry.champion(self.model) is None
            return
        versions = self.registry.list(self.model)
        assert [v.version for v in versions] == list(range(1, len(versions) + 1))
        assert [v.stage for v in versions] == self.stages
        assert sum(v.stage is Stage.PRODUCTION for v in versions) <= 1
        assert [(v.artifact, v.content_digest, v.created_at) for v in versions] == self.frozen
        champion = self.registry.champion(self.model)
        assert (champion.version if champion else None) == self.champion
        assert self.registry.verify_history(self.model) is None

    @invariant()
    def production_was_approved_and_never_rejected(self):
        assert set(self.entered) <= self.approved


@pytest.fixture
def life(tmp_path, estimator, signature):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        store.metadata.settings.set("single_user", "false")
        Life.store, Life.estimator, Life.signature = store, estimator, signature  # type: ignore[assignment]
        yield Life


def test_any_sequence_of_operations_keeps_the_laws(life):
    life.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
    life.TestCase().runTest()
    assert len(life.store.metadata.models.list()) > 1, "the machine registered nothing"


OUTCOMES = {
    "promote": {Stage.NONE: "ok", Stage.STAGING: "ok", Stage.ARCHIVED: "ok"},
    "stage": {Stage.NONE: "ok"},
    "archive": {Stage.NONE: "ok", Stage.STAGING: "ok", Stage.PRODUCTION: "ok"},
    "reject": {Stage.NONE: "ok", Stage.STAGING: "ok", Stage.ARCHIVED: "ok"},
}
ACTIONS = {
    "promote": lambda registry: registry.promote("tips", 1),
    "stage": lambda registry: registry.promote("tips", 1, to=Stage.STAGING),
    "archive": lambda registry: registry.archive("tips", 1),
    "reject": lambda registry: registry.reject("tips", 1, reason="Bad."),
}
WAYS = {
    Stage.NONE: [],
    Stage.STAGING: ["stage"],
    Stage.PRODUCTION: ["promote"],
    Stage.ARCHIVED: ["archive"],
    Stage.REJECTED: ["reject"],
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("stage", Stage)
def test_every_action_in_every_stage_is_done_or_refused_whole(registry, add, action, stage):
    add()
    for step in WAYS[stage]:
        ACTIONS[step](registry)
    before = (registry.get("tips", 1), registry.history("tips")) if stage != "rejected" else None
    if OUTCOMES[action].get(stage) == "ok":
        assert ACTIONS[action](registry).stage is not stage
        return
    with pytest.raises(PenstockError) as caught:
        ACTIONS[action](registry)
    assert isinstance(caught.value, ConflictError | NotFoundError)
    assert caught.value.fix
    if before:
        assert (registry.get("tips", 1), registry.history("tips")) == before
