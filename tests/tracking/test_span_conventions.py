"""Spans of other libraries say the same as MLflow's own, in other words."""

from typing import Any

import pytest

from penstock.tracking._span_conventions import SpanFacts, read_span_facts

MESSAGES = '[{"role": "user", "content": "Hi"}]'


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "small",
                "gen_ai.response.model": "small-2",
                "gen_ai.input.messages": MESSAGES,
                "gen_ai.output.messages": '["Hello"]',
                "gen_ai.usage.input_tokens": 3,
                "gen_ai.usage.output_tokens": 4,
            },
            SpanFacts(
                "CHAT_MODEL",
                [{"role": "user", "content": "Hi"}],
                ["Hello"],
                "small-2",
                {"input": 3, "output": 4, "total": 7},
            ),
        ),
        (
            {
                "openinference.span.kind": "RETRIEVER",
                "input.value": "Why?",
                "output.value": '{"documents": 2}',
                "llm.model_name": "m",
                "llm.token_count.prompt": 5,
                "llm.token_count.completion": 0,
                "llm.token_count.total": 5,
            },
            SpanFacts(
                "RETRIEVER", "Why?", {"documents": 2}, "m", {"input": 5, "output": 0, "total": 5}
            ),
        ),
        (
            {
                "traceloop.span.kind": "workflow",
                "traceloop.entity.input": '{"a": 1}',
                "gen_ai.completion.0.content": "b",
                "gen_ai.usage.prompt_tokens": 1,
                "llm.usage.total_tokens": 9,
            },
            SpanFacts("WORKFLOW", {"a": 1}, "b", "", {"input": 1, "total": 9}),
        ),
        (
            {
                "mlflow.spanType": "TOOL",
                "mlflow.spanInputs": {"x": 1},
                "mlflow.spanOutputs": 0,
                "mlflow.chat.tokenUsage": {"input_tokens": 2, "output_tokens": 3},
                "gen_ai.operation.name": "chat",
                "input.value": "other",
                "output.value": "other",
            },
            SpanFacts("TOOL", {"x": 1}, 0, "", {"input": 2, "output": 3, "total": 5}),
        ),
        ({"gen_ai.operation.name": "new", "input.value": "{", "a": True}, SpanFacts(inputs="{")),
        ({"gen_ai.usage.input_tokens": "many", "gen_ai.request.model": ["m"]}, SpanFacts()),
        ({"gen_ai.operation.name": ["chat"], "input.value": "[" * 100_000}, None),
        ({}, SpanFacts()),
    ],
    ids=["genai", "openinference", "traceloop", "mlflow", "odd", "types", "deep", "none"],
)
def test_attributes_are_read_in_every_convention(attributes, expected):
    found = read_span_facts(attributes)
    if expected is not None:
        assert found == expected
    else:
        assert (found.kind, found.inputs) == ("UNKNOWN", attributes["input.value"])


def test_messages_come_as_events_from_older_releases():
    events: list[dict[str, Any]] = [
        {"name": "gen_ai.system.message", "attributes": {"content": "Be kind."}},
        {"name": "gen_ai.user.message", "attributes": {"content": '"Hi"'}},
        {"name": "gen_ai.choice", "attributes": {"content": "Hello", "role": "bot"}},
        {"name": "gen_ai.choice", "attributes": None},
        {"name": "exception"},
    ]
    found = read_span_facts({}, events)
    assert found.inputs == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
    ]
    assert found.outputs == [{"role": "bot", "content": "Hello"}]
