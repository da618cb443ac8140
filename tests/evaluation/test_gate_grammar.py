"""The gate language reads back what it writes, and refuses the rest with a caret."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core import ParameterError
from penstock.evaluation import METRICS, parse_gate
from penstock.evaluation._gate_grammar import PARITIES
from penstock.evaluation._gate_terms import (
    Across,
    Arithmetic,
    Compared,
    End,
    Figure,
    Negative,
    Number,
    Proved,
)
from penstock.evaluation._proofs import PROOFS

metrics = st.sampled_from(sorted(METRICS))
columns = (
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12)
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)
numbers = st.one_of(st.integers(0, 10**6), st.floats(0, 1e6)).map(
    lambda n: Number(float(n), repr(n))
)
leaves = st.one_of(
    numbers,
    st.builds(Figure, metrics, st.sampled_from(["", "champion", "baseline"])),
    st.builds(End, st.sampled_from(["lower", "upper"]), metrics, st.booleans()),
    st.builds(Across, st.sampled_from(["gap", "ratio"]), columns, metrics),
    st.builds(Across, st.sampled_from(PARITIES), columns),
)
terms = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Negative, inner), st.builds(Arithmetic, st.sampled_from("+-*"), inner, inner)
    ),
    max_leaves=5,
)
rules = st.builds(Compared, terms, st.sampled_from([">=", "<=", ">", "<", "==", "!="]), terms)


@given(rules)
@settings(max_examples=200, deadline=None)
def test_every_rule_reads_back_as_it_was_written(rule):
    text = str(rule)
    if len(text) < 450:
        assert parse_gate(text).rule == rule
        assert str(parse_gate(text)) == text


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_with_one_error(text):
    with contextlib.suppress(ParameterError):
        gate = parse_gate(text)
        assert parse_gate(str(gate)).rule == gate.rule


def test_a_gate_that_nothing_can_answer_is_refused():
    with pytest.raises(ParameterError, match="nothing proves it") as refused:
        parse_gate(" leakage   proved ")
    assert "leakage == none" in refused.value.fix


@pytest.mark.parametrize("text", PROOFS)
def test_proofs_are_read_whatever_the_spacing(text):
    gate = parse_gate("  " + text.replace(" ", "   ") + " ")
    assert gate.rule == Proved(PROOFS[text])
    assert gate.proof_kind == ("" if text == "leakage == none" else text)
    assert not gate.needs_champion


@pytest.mark.parametrize("column", ["native-country", "payment type", "class", "Größe", "a.b"])
def test_a_column_is_written_as_it_is(column):
    rule = parse_gate(f"gap(recall, {column}) <= 0.1").rule
    assert rule.left == Across("gap", column, "recall")  # type: ignore[union-attr]
    assert parse_gate(f"demographic_parity_ratio({column}) >= 0.8").rule.left.column == column  # type: ignore[union-attr]


def test_a_column_with_brackets_is_quoted():
    assert parse_gate("gap(recall, 'size (cm)') <= 0.1").rule.left.column == "size (cm)"  # type: ignore[union-attr]


def test_a_paired_interval_end_needs_a_champion():
    gate = parse_gate("lower(f1 - champion.f1) > -0.01")
    assert gate.rule.left == End("lower", "f1", paired=True)  # type: ignore[union-attr]
    assert gate.needs_champion
    assert gate.proof_kind == ""


def test_an_unknown_metric_is_shown_with_a_caret():
    with pytest.raises(ParameterError) as caught:
        parse_gate("0.1 + roc_acu >= 0.7")
    lines = str(caught.value).splitlines()
    assert lines[1].index("roc_acu") == lines[2].index("^^^^^^^")
    assert "Did you mean 'roc_auc'?" in lines[3]


def test_the_caret_counts_letters_not_bytes():
    with pytest.raises(ParameterError) as caught:
        parse_gate("gap(recall, 'Größe') <= acuracy")
    lines = str(caught.value).splitlines()
    assert lines[1].index("acuracy") == lines[2].index("^^^^^^^")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 500 characters"),
        ("x" * 501, "1 to 500 characters"),
        ("roc_auc >= ", "cannot be read here"),
        ("roc_auc", "compares nothing"),
        ("verifed", "Did you mean 'verified'"),
        ("0.1 <= bias <= 0.2", "two gates"),
        ("f1 > 0.5 and recall > 0.5", "joins two rules"),
        ("f1 in recall", "Use >= >"),
        ("f1 / 2 > 0.5", "does not know|do not know"),
        ("f1 > True", "do not know"),
        ("f1 > 1e999", "too large"),
        ("f1 > " + "9" * 400, "too large"),
        ("challenger.f1 > 0.5", "names 'challenger'"),
        ("gap(recall) < 0.1", r"Write gap\(metric, column\)"),
        ("gap(recall, 'a' + 'b') < 0.1", "needs a column"),
        ("gap(0.5, sex) < 0.1", "uses gap wrongly"),
        ("gap(recal, sex) < 0.1", "Did you mean 'recall'"),
        ("equalized_odds_ratio() < 0.1", r"equalized_odds_ratio\(column\)"),
        ("gpa(recall, sex) < 0.1", "Did you mean 'gap'"),
        ("lower(0.5) > 0.1", "interval that is not known"),
        ("lower(f1 - champion.recall) > 0", "interval that is not known"),
        ("lower(f1, recall) > 0", "uses lower wrongly"),
        ("leakage == 0", "names 'leakage'"),
        ("(" * 250 + "f1" + ")" * 240 + " > 0", "cannot be read"),
        ("f1 > 0\x00", "cannot be read"),
    ],
)
def test_what_is_no_gate_is_refused_with_the_remedy(text, said):
    with pytest.raises(ParameterError, match=said):
        parse_gate(text)
