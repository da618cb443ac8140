"""Outputs of cells compared: changes from kernel to kernel without a meaning are masked."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from penstock.core import digest_json
from penstock.notebooks._document import source_text

_CELL_FILE = "/ipykernel_"
_MASKS = (  # each in linear time: a line may have a million characters
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "0x…"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b(T_|sk-container-id-|sk-estimator-id-)[0-9a-f]+"), r"\1…"),
    (re.compile(r"(?m)^(CPU times:|Wall time:|Compiler|Parser).*$"), r"\1 …"),
    (re.compile(r"(?<![\d.])[\d.]+ (?:ns|µs|us|ms|s) ± .*"), "<time>"),
    (re.compile(r"(?<!\d)\d+%\|[^\n]*(?:it/s|s/it)[^\n]*"), "<progress>"),
)  # fmt: skip
_CELL_PATH = re.compile(r"/\S*/ipykernel_\d+/\d+\.py")


def outputs_digest(outputs: Iterable[Mapping[str, Any]]) -> str:
    """Compute the digest of a cell's outputs: addresses, timings and ids are masked.

    >>> one = [{"output_type": "stream", "name": "stdout", "text": "<f at 0x7f11aa22bb33>"}]
    >>> two = [{"output_type": "stream", "name": "stdout", "text": "<f at 0x7f99cc00dd11>"}]
    >>> outputs_digest(one) == outputs_digest(two)
    True
    """
    return digest_json(comparable(outputs))


def comparable(outputs: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return outputs without parts that have no meaning; chunks of a stream are joined."""
    streams: dict[str, list[str]] = {}
    outputs_shown: list[Any] = []
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream":
            name = str(output.get("name"))
            if name not in streams:
                streams[name] = []
                outputs_shown.append([name, streams[name]])
            streams[name].append(source_text(output.get("text")))
        elif kind == "error":
            outputs_shown.append(["error", output.get("ename"), _masked(str(output.get("evalue")))])
        else:
            outputs_shown.append([kind, _plain(output.get("data", {}))])
    joined = [
        [name, _masked("".join(rest[0]))] if name in streams else [name, *rest]
        for name, *rest in outputs_shown
    ]
    shown = [each for each in joined if each[0] not in streams]
    return [*shown, *sorted(each for each in joined if each[0] in streams and each[1])]


def stream_text(outputs: Iterable[Mapping[str, Any]], name: str) -> str:
    """Return the printed text of a cell on a stream."""
    return "".join(source_text(each.get("text")) for each in outputs if each.get("name") == name)


def join_streams(outputs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    r"""Join the texts of each stream, as a terminal shows them, standard output first.

    nbclient's own ``coalesce_streams`` takes hours for a line of a million characters.

    >>> print_one = {"output_type": "stream", "name": "stdout", "text": "10 %\r20 %\n"}
    >>> print_two = {"output_type": "stream", "name": "stdout", "text": "dome\b\bne\n"}
    >>> join_streams([print_one, print_two])[0]["text"]
    '20 %\ndone\n'
    """
    joined: list[dict[str, Any]] = []
    texts: dict[str, list[str]] = {}
    for output in outputs:
        if output["output_type"] != "stream":
            joined.append(output)
            continue
        if output["name"] not in texts:
            joined.append(output)
        texts.setdefault(output["name"], []).append(output["text"])
    for output in joined:
        if output["output_type"] == "stream":
            output["text"] = _as_shown("".join(texts[output["name"]]))
    for place, (one, other) in enumerate(pairwise(joined)):  # they are sent side by side
        if (one.get("name"), other.get("name")) == ("stderr", "stdout"):
            joined[place], joined[place + 1] = other, one
            break
    return joined


def _as_shown(text: str) -> str:
    """Return a text without what backspaces and carriage returns overwrite."""
    if "\b" in text:
        text = "\n".join(map(_without_erased, text.split("\n")))
    if "\r" in text:
        text = "\n".join(line[line.rfind("\r", 0, -1) + 1 :] for line in text.split("\n"))
    return text


def _without_erased(line: str) -> str:
    if "\b" not in line:
        return line
    shown: list[str] = []
    for letter in line:
        if letter != "\b":
            shown.append(letter)
        elif shown:
            shown.pop()
    return "".join(shown)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return _masked("".join(value))
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return _masked(value) if isinstance(value, str) else value


def _masked(text: str) -> str:
    if _CELL_FILE in text:  # else each slash of a picture would be followed to the end
        text = "\n".join(
            _CELL_PATH.sub("<cell>", line) if _CELL_FILE in line else line
            for line in text.split("\n")
        )
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text
