"""Each kind of gate passes, fails and explains itself on a hand-made report."""

from dataclasses import replace

import pytest

from penstock.core import GateState, NotFoundError, ParameterError, ProofRecord, Verdict, now
from penstock.data import Finding
from penstock.evaluation import Comparison, Difference, Estimate, SliceResult, judge

PASSED, FAILED, PENDING = GateState.PASSED, GateState.FAILED, GateState.PENDING


@pytest.fixture
def made(report):
    """The package's report with figures that can be checked by hand."""

    def slices(*figures):
        return tuple(
            SliceResult(value, rows, {"recall": Estimate(recall, recall - 0.01, recall + 0.01)})
            for value, rows, recall in figures
        )

    return replace(
        report,
        metrics={"roc_auc": Estimate(0.812, 0.801, 0.823), "recall": Estimate(0.6, 0.5, 0.7)},
        absent={"precision": "the model predicts 'yes' for no row"},
        baseline={"recall": 0.0},
        slices={
            "company": slices(("A", 100, 0.5), ("B", 50, 0.64), ("C", 3, 0.0)),
            "rare": slices(("x", 40, 0.5), ("y", 2, 0.1)),
        },
        fairness={"company": {"demographic_parity_difference": 0.07}},
        leakage=(),
    )


@pytest.fixture
def comparison():
    return Comparison(
        {"roc_auc": Difference(0.812, 0.809, 0.003, -0.001, 0.007)}, {"f1": "gone"}, 15_000
    )


def one(gate, report, **rest):
    (result,) = judge([gate], report, **rest)
    assert result.gate == gate
    # Which class the figures are about stands in every reason; the tests look at the rest.
    return result.state, result.reason.removesuffix("; positive class 'yes'")


def test_a_metric_against_a_number_shows_its_interval(made):
    assert one("roc_auc >= 0.70", made) == (PASSED, "roc_auc 0.812 [0.801, 0.823] >= 0.70")
    assert one("recall > 0.8", made) == (FAILED, "recall 0.600 [0.500, 0.700] is not > 0.8")


def test_an_interval_end_can_be_asked_for(made):
    assert one("lower(roc_auc) >= 0.805", made) == (FAILED, "lower(roc_auc) 0.801 is not >= 0.805")
    assert one("upper(roc_auc) < 0.9", made)[0] == PASSED


def test_the_champion_is_compared_on_the_same_rows(made, comparison):
    state, reason = one("roc_auc >= champion.roc_auc - 0.005", made, comparison=comparison)
    assert state == PASSED
    assert reason == (
        "roc_auc 0.812 [0.801, 0.823] >= champion.roc_auc 0.809 - 0.005 = 0.804; "
        "difference +0.003 [-0.001, +0.007] on the same 15,000 rows"
    )
    paired = "lower(roc_auc - champion.roc_auc) >= 0"
    assert one(paired, made, comparison=comparison)[0] == FAILED
    assert one("upper(roc_auc - champion.roc_auc) >= 0", made, comparison=comparison)[0] == PASSED


def test_without_a_champion_its_gates_pass_and_say_so(made):
    assert one("roc_auc >= champion.roc_auc", made) == (PASSED, "no champion yet")
    assert one("lower(roc_auc - champion.roc_auc) > 0", made) == (PASSED, "no champion yet")


def test_a_metric_that_was_not_compared_fails_with_the_reason(made, comparison):
    state, reason = one("recall >= champion.f1", made, comparison=comparison)
    assert (state, reason.endswith("no common f1: gone")) == (FAILED, True)


def test_the_baseline_can_be_asked_for(made):
    assert one("recall > baseline.recall + 0.1", made)[0] == PASSED
    assert one("recall > baseline.roc_auc", made) == (
        FAILED,
        "not known: the baseline has no roc_auc",
    )


def test_a_gap_names_its_ends_and_what_it_left_out(made):
    state, reason = one("gap(recall, company) <= 0.15", made)
    assert state == PASSED
    assert reason == (
        "gap(recall, company) 0.140 ('A' 0.500 [0.490, 0.510] to 'B' 0.640 [0.630, 0.650]; "
        "left out: 1 with fewer than 30 rows) <= 0.15"
    )
    assert one("gap(recall, company) <= 0.1", made)[0] == FAILED
    assert one("ratio(recall, company) >= 0.8", made)[0] == FAILED


def test_a_gap_that_cannot_be_told_fails(made):
    state, reason = one("gap(recall, rare) <= 0.5", made)
    assert (state, "1 of 2 values have 30 rows or more" in reason) == (FAILED, True)


def test_a_ratio_of_nothing_fails(made):
    flat = (
        SliceResult("A", 50, {"recall": Estimate(0, 0, 0)}),
        SliceResult("B", 50, {"recall": Estimate(0, 0, 0)}),
    )
    state, reason = one("ratio(recall, company) >= 0.5", replace(made, slices={"company": flat}))
    assert (state, "means nothing" in reason) == (FAILED, True)


def test_parity_figures_can_be_asked_for(made):
    assert one("demographic_parity_difference(company) <= 0.1", made)[0] == PASSED
    state, reason = one("equalized_odds_ratio(company) >= 0.8", made)
    assert (state, "the report has no equalized_odds_ratio(company)" in reason) == (FAILED, True)
    assert "not among the sensitive columns" in one("equalized_odds_ratio(rare) >= 0.8", made)[1]


def test_an_absent_metric_fails_with_its_reason(made):
    assert one("precision > 0.1", made) == (
        FAILED,
        "not known: the report has no precision: the model predicts 'yes' for no row",
    )
    assert one("lower(precision) > 0.1", made)[0] == FAILED


def test_a_figure_that_only_looks_equal_is_shown_exactly(made):
    report = replace(made, metrics={"roc_auc": Estimate(0.69996, 0.6, 0.8)})
    state, reason = one("roc_auc >= 0.70", report)
    assert state == FAILED
    assert reason.endswith("is not >= 0.70 (exactly 0.69996 and 0.7)")


def test_arithmetic_is_shown_with_its_result(made):
    assert one("2 * (recall - 0.1) == 1", made)[1].startswith(
        "2 * (recall 0.600 [0.500, 0.700] - 0.1) = 1.000 == 1"
    )
    assert one("(recall + 0.1) * 2 > -recall", made)[0] == PASSED
    assert one("recall > -0.5", made)[1] == "recall 0.600 [0.500, 0.700] > -0.5"


def test_leakage_passes_without_findings_and_tells_warnings(made):
    assert one("leakage == none", made) == (PASSED, "no leakage found by the checks of the split")
    warned = replace(made, leakage=(Finding("warn", "L5", "x", "Look."),))
    assert one("leakage == none", warned)[1].endswith("; 1 warning(s), see the report")


def test_leakage_fails_with_the_messages_of_the_findings(made):
    leaks = tuple(Finding("fail", "L1", "", f"Leak {at}.") for at in range(5))
    state, reason = one("leakage == none", replace(made, leakage=leaks))
    assert (state, reason) == (FAILED, "leakage found: Leak 0. Leak 1. Leak 2. And 2 more.")


def verified(verdict, **details):
    return {"verified": ProofRecord("run", "verified", verdict, now(), details)}


def test_a_proof_is_pending_until_it_is_recorded(made):
    state, reason = one("verified", made)
    assert (state, "`penstock promote` runs it" in reason) == (PENDING, True)


@pytest.mark.parametrize(
    ("verdict", "state", "said"),
    [
        (Verdict.BITWISE, PASSED, "bitwise"),
        (Verdict.WITHIN_TOLERANCE, PASSED, "within tolerance"),
        (Verdict.DIFFERS, FAILED, "differs"),
        (Verdict.CANNOT_VERIFY, FAILED, "cannot verify"),
    ],
)
def test_the_verdict_of_a_proof_decides_its_gate(made, verdict, state, said):
    result = one("verified", made, proofs=verified(verdict))
    assert result == (state, f"the run was executed again: {said}")


def test_a_failed_proof_names_the_step_or_the_reason(made):
    differs = verified(Verdict.DIFFERS, first_difference={"step": "train"})
    assert one("verified", made, proofs=differs)[1].endswith("differs (first at step 'train')")
    lost = verified(Verdict.CANNOT_VERIFY, notes=["The inputs are gone."])
    assert one("verified", made, proofs=lost)[1].endswith("cannot verify (The inputs are gone.)")


def test_a_metric_of_another_task_is_refused(made):
    with pytest.raises(ParameterError, match="no metric 'rmse' for a binary target"):
        judge(["rmse < 3"], made)


def test_a_column_without_slices_is_refused_with_the_remedy(made):
    with pytest.raises(NotFoundError, match=r"slices=\['compny'\].*Did you mean 'company'"):
        judge(["gap(recall, compny) < 0.1"], made)


def test_results_come_in_the_order_of_the_gates(made):
    gates = ["verified", "roc_auc > 0.7", "leakage == none"]
    assert [result.gate for result in judge(gates, made)] == gates


@pytest.mark.parametrize(
    "rule", ["recall >= 0.1", "roc_auc >= champion.roc_auc", "gap(recall, company) <= 1"]
)
def test_the_positive_class_stands_in_every_reason(made, rule):
    (result,) = judge([rule], made)
    assert result.reason.endswith("; positive class 'yes'")


@pytest.mark.parametrize(
    "rule", ["recall >= 0.1", "0.1 <= f1", "lower(precision) > 0", "gap(recall, company) <= 1"]
)
def test_a_gate_that_needs_a_positive_class_asks_for_it(made, rule):
    unknown = replace(made, positive=None, classes=("cat", "dog"))
    with pytest.raises(ParameterError, match=r"'cat' and 'dog'.*positive='dog'"):
        judge([rule], unknown)
    assert judge(["roc_auc >= 0.5", "accuracy >= 0"], unknown)[0].state is PASSED


def test_a_figure_that_is_no_number_fails_every_comparison(made):
    lost = replace(made, metrics={"roc_auc": Estimate(float("nan"), 0, 1)})
    for relation in (">=", "<=", ">", "<", "==", "!="):
        assert one(f"roc_auc {relation} 0.5", lost)[0] is FAILED
