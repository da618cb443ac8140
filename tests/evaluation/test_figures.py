"""Figures show the report's own numbers, label their axes, and are the same every time."""

from dataclasses import replace

import numpy as np
import pytest

from penstock.evaluation import Estimate, SliceResult
from penstock.evaluation.figures._curves import _thresholds


def trace(figure, name):
    return next(each for each in figure.data if each.name == name)


def test_a_binary_report_has_its_six_figures(report):
    assert list(report.figures()) == [
        "roc",
        "precision_recall",
        "calibration",
        "confusion",
        "slices",
        "importance",
    ]


def test_a_report_of_numbers_has_its_four_figures(number_report):
    names = ["predicted_vs_actual", "residuals", "slices", "importance"]
    assert list(number_report.figures()) == names


def test_every_figure_has_a_title_and_labelled_axes(report, number_report):
    for name, figure in {**report.figures(), **number_report.figures()}.items():
        assert figure.layout.title.text
        assert figure.layout.xaxis.title.text
        assert figure.layout.yaxis.title.text or name in {"slices", "importance"}


def test_equal_reports_give_equal_figures(report):
    first, again = ({name: f.to_json() for name, f in report.figures().items()} for _ in range(2))
    assert first == again


def test_curve_points_equal_scikit_learn():
    from sklearn.metrics import roc_curve

    draw = np.random.default_rng(0)
    scores, truth = draw.integers(0, 30, 300) / 30, draw.random(300) < 0.4
    recall, wrong, _ = _thresholds(truth, scores)
    expected_wrong, expected_recall, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert recall == pytest.approx(expected_recall)
    assert wrong == pytest.approx(expected_wrong)


def test_a_long_curve_is_thinned_but_keeps_its_ends(report):
    line = trace(report.figures()["roc"], "model")
    assert len(line.x) <= 401
    assert (line.x[0], line.y[0], line.x[-1], line.y[-1]) == (0, 0, 1, 1)


def test_confusion_shows_shares_of_each_true_class(report):
    table = report.figures()["confusion"].data[0]
    assert [sum(row) for row in table.z] == pytest.approx([1, 1])
    assert list(table.x) == ["no", "yes"]


def test_dots_of_many_rows_are_thinned(number_report):
    dots = trace(number_report.figures()["residuals"], "test rows")
    assert len(dots.x) == len(number_report.holdout.X)
    assert "fare" in number_report.figures()["residuals"].layout.yaxis.title.text


def test_names_from_the_data_are_shown_as_text(report):
    estimate = Estimate(0.5, 0.4, 0.6)
    odd = tuple(
        SliceResult(name, 50, {"roc_auc": estimate}) for name in ("<b>x</b>", "y" * 60, "y" * 61)
    )
    figure = replace(report, slices={"a<i>": odd}).figures()["slices"]
    labels = figure.layout.yaxis.ticktext
    assert labels[0].startswith("&lt;b>x&lt;/b>")
    assert len(labels) == 3
    assert list(figure.data[0].y) == [0, 1, 2]


def test_without_large_slices_there_is_no_slices_figure(report):
    small = (SliceResult("a", 5, {"roc_auc": Estimate(0.5, 0.4, 0.6)}),)
    assert "slices" not in replace(report, slices={"c": small}).figures()
    assert "slices" not in replace(report, slices={}).figures()
