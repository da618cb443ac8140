"""The card for Hugging Face's Hub: valid for its own package, and only what is recorded."""

import json

import pytest

from penstock.registry._hub_card import hub_card


def test_the_card_is_one_that_the_hub_reads(registry, add):
    cards = pytest.importorskip(
        "huggingface_hub", reason="needs huggingface_hub: pip install huggingface_hub"
    )
    add(metrics={"rmse": 2.5}, note="For tips: they are *generous*.")
    text = registry.hub_card("tips", 1)
    card = cards.ModelCard(text)
    assert card.data.library_name == "sklearn"
    assert card.data.pipeline_tag == "tabular-regression"
    assert card.data.model_name == "tips"
    [result] = card.data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_split) == ("rmse", 2.5, "test")
    assert card.text.lstrip().startswith("# Model card: tips, version 1")
    assert "For tips: they are *generous*." in card.text


def test_what_nobody_wrote_is_left_empty_and_says_so(registry, add):
    add(metrics={"rmse": 1.0})
    text = registry.hub_card("tips", 1)
    for title in ("Limitations", "Ethical considerations", "Licence"):
        assert f"## {title}\n\nNot recorded." in text
    assert "license:" not in text
    assert '"name": "not recorded"' in text


def test_without_metrics_no_result_is_claimed(registry, add):
    version = add()
    text = hub_card("# Card\n", version, model_format="skops", sources=["a: b"])
    assert "model-index" not in text
    lines = dict(line.split(": ", 1) for line in text.split("---")[1].strip().splitlines())
    assert json.loads(lines["tags"])[0] == "penstock"
