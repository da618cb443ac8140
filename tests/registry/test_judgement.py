"""Gates judged against the champion of today, at registration and again at promotion."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from penstock.core import (
    GateError,
    GateResult,
    GateState,
    ProofRecord,
    RunRecord,
    RunState,
    Stage,
    Verdict,
    now,
)
from penstock.data import split_table
from penstock.evaluation import evaluate
from penstock.models import Model, infer_signature
from penstock.registry import judge_candidate, judge_version, list_needed_proofs

GATES = ["accuracy >= 0.5", "roc_auc >= champion.roc_auc - 0.01", "verified"]


def table(seed=0, rows=400):
    chance = np.random.default_rng(seed)
    first, second = chance.normal(size=(2, rows))
    label = first + 0.3 * chance.normal(size=rows) > 0
    return pl.DataFrame({"first": first, "second": second, "label": np.where(label, "yes", "no")})


@pytest.fixture(scope="module")
def split():
    return split_table(table(), target="label")


@pytest.fixture
def candidate(store, registry, split):
    """Train on some columns and register: ``candidate(["first"])``."""
    store.metadata.runs.create(
        RunRecord("run7", "r", "default", "p", None, RunState.FINISHED, 0, now(), user="ada")
    )

    def make(columns, gates=GATES):
        model = LogisticRegression().fit(split.train.X.select(columns), split.train.y)
        report = evaluate(model, split, resamples=20)
        signature = infer_signature(model, split.test.X.select(columns), split.test.y)
        champion = registry.champion("tips")
        results, _ = judge_candidate(report, gates, champion=champion, store=store)
        return registry.register(
            "tips", Model(model, signature), report=report, gates=results, run_id="run7"
        )

    return make


def states(record):
    return [gate.state.value for gate in record.gates]


def test_without_a_champion_its_gates_pass(candidate):
    first = candidate(["first"])
    assert states(first) == ["passed", "passed", "pending"]
    assert first.gates[1].reason.startswith("no champion yet; positive class ")
    assert list_needed_proofs(first) == ["verified"]


def test_a_worse_model_fails_against_the_champion(candidate, registry):
    candidate(["first"])
    registry.promote("tips", 1, force_reason="First.")
    worse = candidate(["second"])
    assert states(worse)[1] == "failed"
    assert "roc_auc" in worse.gates[1].reason


def test_judging_again_takes_the_champion_of_today(candidate, registry, store):
    candidate(["first"])
    late = candidate(["second"])
    assert states(late)[1] == "passed"
    registry.promote("tips", 1, force_reason="First.")
    judged = judge_version(late, store=store)
    assert states(judged)[1] == "failed"
    assert registry.get("tips", 2).gates == judged.gates


def test_promoting_judges_now_whatever_was_written_before(candidate, registry):
    candidate(["first"], gates=GATES[:2])
    late = candidate(["second"], gates=GATES[:2])
    registry.promote("tips", 1)
    forged = [replace(gate, state=GateState.PASSED) for gate in late.gates]
    registry.record_gates("tips", 2, forged)
    with pytest.raises(GateError, match="champion"):
        registry.promote("tips", 2)
    assert states(registry.get("tips", 2))[1] == "failed"
    assert "Gates judged: " in registry.history("tips")[-1].reason


def test_a_report_that_is_lost_lets_no_gate_pass(candidate, registry, store):
    record = candidate(["first"], gates=GATES[:1])
    lost = store.metadata.models.update_version(
        "tips", 1, expected_revision=record.revision, report="sha256:" + "0" * 64
    )
    assert states(judge_version(lost, store=store)) == ["failed"]


def test_the_champion_keeps_the_answers_it_was_promoted_with(candidate, registry, store):
    candidate(["first"])
    champion = registry.promote("tips", 1, force_reason="First.")
    assert judge_version(champion, store=store) == champion


def test_a_champion_that_cannot_score_the_rows_fails_the_gates_that_name_it(
    candidate, registry, store, split
):
    candidate(["first", "second"])
    registry.promote("tips", 1, force_reason="First.")
    narrow = split_table(table().drop("second"), target="label")
    model = LogisticRegression().fit(narrow.train.X, narrow.train.y)
    report = evaluate(model, narrow, resamples=20)
    results, comparison = judge_candidate(
        report, GATES, champion=registry.champion("tips"), store=store
    )
    assert comparison is None
    assert [result.state.value for result in results] == ["passed", "failed", "pending"]
    assert "tips@1 cannot be scored on the candidate's rows" in results[1].reason
    assert "second" in results[1].reason


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.BITWISE, GateState.PASSED),
        (Verdict.WITHIN_TOLERANCE, GateState.PASSED),
        (Verdict.DIFFERS, GateState.FAILED),
        (Verdict.CANNOT_VERIFY, GateState.FAILED),
    ],
)
def test_the_newest_proof_of_the_run_answers_verified(candidate, store, verdict, state):
    record = candidate(["first"])
    first = {"step": "train"} if verdict is Verdict.DIFFERS else None
    old = ProofRecord("run7", "verified", Verdict.DIFFERS, now() - timedelta(days=1))
    store.metadata.artifacts.add_proof(old)
    store.metadata.artifacts.add_proof(
        ProofRecord("run7", "verified", verdict, now(), {"first_difference": first})
    )
    assert judge_version(record, store=store).gates[2].state is state


def test_without_gates_there_is_nothing_to_judge(candidate, store):
    record = candidate(["first"], gates=[])
    assert judge_version(record, store=store) == record
    assert list_needed_proofs(record) == []
    assert replace(record, stage=Stage.NONE) == record


def test_the_card_of_a_real_report_holds_its_metrics(candidate, registry):
    candidate(["first"])
    card = registry.card("tips", 1)
    assert "| roc_auc | 0.9" in card
    assert "| Pipeline | p |" in card
    assert "## Leakage\n\nChecked; nothing found." in card or "| warn |" in card


def test_the_card_says_what_is_true_now(candidate, registry, store):
    candidate(["first"])
    assert "| verified | pending |" in registry.card("tips", 1)
    store.metadata.artifacts.add_proof(ProofRecord("run7", "verified", Verdict.BITWISE, now()))
    registry.promote("tips", 1, actor="mara", reason="Looked at it.")
    card = registry.card("tips", 1)
    assert "| verified | passed | the run was executed again: bitwise |" in card
    assert "pending" not in card
    assert "## Stage\n\nproduction, as the registry has it now." in card
    assert "| mara | approved | Looked at it. |" in card
    assert card.count("## Gates") == 1
    assert card.endswith("\n")
    assert "## Provenance" in card


def test_a_column_called_verified_needs_no_proof(candidate):
    gate = GateResult("gap(recall, verified) <= 0.1", GateState.PENDING, "")
    record = replace(candidate(["first"], gates=[]), gates=(gate,))
    assert list_needed_proofs(record) == []
