"""penstock explain: a row, a logged prediction, and the ways to ask wrongly."""

import json

import pytest

pytest.importorskip("shap", reason='pip install "penstock[explain]"')


def test_a_row_is_explained_by_the_production_version(world):
    version = world.store.metadata.models.get_version("fraud", 1)
    row = world.store.get(version.report).holdout.X.row(0, named=True)
    text = json.dumps(row, default=str)
    found = world("explain", "fraud", "--row", text, "--json").json
    total = found["base"] + sum(each["contribution"] for each in found["contributions"])
    assert total == pytest.approx(found["output"], abs=1e-6)
    assert {each["input"] for each in found["contributions"]} == set(row)
    assert "base value" in world("explain", "fraud@1", "--row", text).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fraud",), "of one row or of one logged prediction"),
        (("fraud", "--row", "{"), "--row is no JSON"),
        (("fraud", "--row", "[1]"), "is a JSON list"),
        (("frod", "--row", "{}"), "Did you mean 'fraud'?"),
        (("--prediction", "nowhere"), "nowhere"),
    ],
)
def test_wrong_questions_are_refused_with_the_right_one(world, words, said):
    assert said in world("explain", *words, code=2).err
