"""What a span's attributes say in the words of other tracing libraries, as MLflow understands them.

MLflow's own attributes come first, then OpenTelemetry's conventions for generative AI, OpenInference
(Arize Phoenix) and Traceloop (OpenLLMetry). Spans are stored as they came, and read here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_KINDS = {
    "gen_ai.operation.name": {
        "chat": "CHAT_MODEL",
        "create_agent": "AGENT",
        "embeddings": "EMBEDDING",
        "execute_tool": "TOOL",
        "generate_content": "LLM",
        "invoke_agent": "AGENT",
        "text_completion": "LLM",
        "response": "LLM",
    },
    "openinference.span.kind": {
        name: name
        for name in (
            *("TOOL", "CHAIN", "LLM", "RETRIEVER", "EMBEDDING", "AGENT", "RERANKER"),
            *("GUARDRAIL", "EVALUATOR"),
        )
    },
    "traceloop.span.kind": {
        "workflow": "WORKFLOW",
        "task": "TASK",
        "agent": "AGENT",
        "tool": "TOOL",
    },
}
_INPUTS = (
    *("gen_ai.input.messages", "gen_ai.tool.call.arguments"),
    "input.value",
    *("traceloop.entity.input", re.compile(r"gen_ai\.prompt\.\d+\.content")),
    re.compile(r"gen_ai\.completion\.\d+\.tool_calls\.\d+\.arguments"),
)
_OUTPUTS = (
    *("gen_ai.output.messages", "gen_ai.tool.call.result"),
    "output.value",
    *("traceloop.entity.output", re.compile(r"gen_ai\.completion\.\d+\.content")),
)
_MODELS = (
    *("mlflow.llm.model", "gen_ai.response.model", "gen_ai.request.model"),
    *("llm.response.model_name", "llm.model_name", "llm.request.model_name"),
    "embedding.model_name",
)
_TOKENS = {
    "input": ("gen_ai.usage.input_tokens", "llm.token_count.prompt", "gen_ai.usage.prompt_tokens"),
    "output": (
        "gen_ai.usage.output_tokens",
        "llm.token_count.completion",
        "gen_ai.usage.completion_tokens",
    ),
    "total": ("llm.token_count.total", "llm.usage.total_tokens"),
}
_USAGE = "mlflow.chat.tokenUsage"
_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
}
_ANSWER = "gen_ai.choice"


@dataclass(frozen=True, slots=True)
class SpanFacts:
    """What a span says of its work.

    Args:
        kind: Kind of the work; ``UNKNOWN`` if no attribute tells.
        inputs: What was given to it, JSON-like.
        outputs: What it returned, JSON-like.
        model: Name of the model that was asked; empty for none.
        tokens: Number of tokens: ``input``, ``output``, ``total``.
    """

    kind: str = "UNKNOWN"
    inputs: Any = None
    outputs: Any = None
    model: str = ""
    tokens: Mapping[str, int] = field(default_factory=dict)


def read_span_facts(
    attributes: Mapping[str, Any], events: Sequence[Mapping[str, Any]] = ()
) -> SpanFacts:
    """Read what attributes and events say, in whichever words.

    >>> told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "input.value": "Hi"}
    >>> facts = read_span_facts(told | {"gen_ai.usage.input_tokens": 3})
    >>> facts.kind, facts.model, facts.inputs, dict(facts.tokens)
    ('CHAT_MODEL', 'm', 'Hi', {'input': 3})

    Args:
        attributes: The span's attributes.
        events: Its events, which have messages in older releases of the conventions.
    """
    inputs, outputs = attributes.get("mlflow.spanInputs"), attributes.get("mlflow.spanOutputs")
    if inputs is None:
        inputs = _first(attributes, _INPUTS) or _messages(events, _ROLES)
    if outputs is None:
        outputs = _first(attributes, _OUTPUTS) or _messages(events, {_ANSWER: "assistant"})
    model = _first(attributes, _MODELS)
    return SpanFacts(
        kind=_kind(attributes),
        inputs=inputs,
        outputs=outputs,
        model=model if isinstance(model, str) else "",
        tokens=_tokens(attributes),
    )


def _kind(attributes: Mapping[str, Any]) -> str:
    known = str(attributes.get("mlflow.spanType") or "UNKNOWN")
    if known != "UNKNOWN":
        return known
    for key, kinds in _KINDS.items():
        found = _decoded(attributes.get(key))
        if isinstance(found, str) and found in kinds:
            return kinds[found]
    return known


def _tokens(attributes: Mapping[str, Any]) -> dict[str, int]:
    usage = attributes.get(_USAGE)
    own = _decoded(usage) if usage is not None else {}
    counted = {}
    for name, keys in _TOKENS.items():
        found = own.get(f"{name}_tokens") if isinstance(own, dict) else None
        found = _first(attributes, keys) if found is None else found
        if isinstance(found, int) and not isinstance(found, bool):
            counted[name] = found
    if "total" not in counted and {"input", "output"} <= counted.keys():
        counted["total"] = counted["input"] + counted["output"]
    return counted


def _first(attributes: Mapping[str, Any], keys: Sequence[str | re.Pattern[str]]) -> Any:
    """Return the first value that there is, in the order of the keys; None if there is none."""
    for key in keys:
        names = [key] if isinstance(key, str) else [name for name in attributes if key.match(name)]
        for name in names:
            value = _decoded(attributes.get(name))
            if value not in (None, "", [], {}):
                return value
    return None


def _messages(
    events: Sequence[Mapping[str, Any]], roles: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """Return messages that came as events; None if there are none."""
    found = []
    for event in events:
        told = event.get("attributes")
        role = roles.get(str(event.get("name")))
        content = told.get("content") if role and isinstance(told, Mapping) else None
        if content:
            assert isinstance(told, Mapping)
            named = _decoded(told.get("role")) if event.get("name") == _ANSWER else None
            found.append({"role": named or role, "content": _decoded(content)})
    return found or None


def _decoded(value: Any) -> Any:
    """Return a text that is JSON as its value, and all else as it is."""
    if not isinstance(value, str) or value[:1] not in {"{", "[", '"'}:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
