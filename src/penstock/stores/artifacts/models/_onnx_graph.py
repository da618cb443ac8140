"""Allowed contents of a stored ONNX graph; apart because this is a security decision.

A graph is arithmetic on inputs. Three things are not: operators of foreign libraries, weights in
separate files, and operators that draw random numbers. A stored graph has none of them.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from penstock.core import SerializationError, require

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
_MOST_BYTES = (2 << 30) - 1  # protobuf's own limit of a message
_EXTERNAL = 1  # TensorProto.EXTERNAL


def read_onnx(path: str | Path) -> Any:  # Any: onnx.ModelProto, of an optional package
    """Read a file of ONNX, with weights in the same folder, as a model that can be stored.

    >>> read_onnx("churn.onnx")  # doctest: +SKIP

    Args:
        path: The file. Named files of weights must lie in the same folder, or below.

    Returns:
        An ``onnx.ModelProto`` that holds all weights: return it from a step, or register the graph.

    Raises:
        SerializationError: If the file is no ONNX, names a file outside of the folder or through a
            link, or has operators that are not ONNX's own or draw random numbers.
        MissingPackageError: If onnx is not installed; penstock's extra ``onnx`` has the package.
        OSError: If the file cannot be read.
    """
    file = Path(path)
    model = parse_onnx(file.read_bytes())
    room = _MOST_BYTES - file.stat().st_size
    for tensor in _tensors(model):
        if _is_external(tensor):
            room -= _take_in(tensor, file.parent, room)
    return require_closed(model)


def parse_onnx(data: bytes) -> Any:
    """Parse the bytes of an ONNX file.

    Raises:
        SerializationError: If they are none.
    """
    onnx = require("onnx", extra="onnx", purpose="reading an ONNX model")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:
        raise _refused("the bytes are no ONNX graph") from error
    return model


def require_closed(model: Any) -> Any:
    """Return a graph that is arithmetic on inputs alone.

    Raises:
        SerializationError: If the graph names separate files, operators of foreign libraries,
            operators that draw random numbers, or is no valid graph.
    """
    onnx = require("onnx", extra="onnx", purpose="checking an ONNX model")
    own = {(each.domain, each.name) for each in model.functions}
    for node in _nodes(model):
        if node.domain not in _DOMAINS and (node.domain, node.op_type) not in own:
            raise _refused(
                f"the operator {node.op_type} is of the domain {node.domain!r}",
                "Its code is in a library that is not ONNX, and would run when the model predicts.",
                "Export with the standard operators of ONNX.",
            )
        if node.domain in _DOMAINS and node.op_type in _RANDOM:
            raise _refused(
                f"the operator {node.op_type} draws random numbers",
                "The same row would get another prediction each time.",
                "Export the model in evaluation mode.",
            )
    if any(map(_is_external, _tensors(model))):
        raise _refused(
            "weights are in another file",
            "A stored model is one value, that no file beside it can change.",
            "Read it with penstock.stores.read_onnx(PATH), which takes the weights in.",
        )
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise _refused(f"it is no valid graph ({' '.join(str(error).split())[:200]})") from error
    return model


def stable_bytes(model: Any) -> bytes:
    """Write a graph without the additions of exporters for people, such as stack traces and paths.

    The same model then has the same bytes in every process and folder.
    """
    copied = type(model)()
    copied.CopyFrom(model)
    copied.ClearField("doc_string")
    for part in (copied, *copied.functions):  # skl2onnx writes them in the order of a set of texts
        part.opset_import.sort(key=lambda each: each.domain)
    for graph in _graphs(copied):
        _clear(graph)
        for each in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            _clear(each)
    for function in copied.functions:
        _clear(function)
        for each in function.value_info:
            _clear(each)
    for node in _nodes(copied):
        _clear(node)
    data: bytes = copied.SerializeToString(deterministic=True)
    return data


def _clear(part: Any) -> None:
    for name in ("doc_string", "metadata_props"):
        if name in part.DESCRIPTOR.fields_by_name:
            part.ClearField(name)


def _graphs(model: Any) -> Iterator[Any]:
    """Iterate over the graph and the graphs inside of operators, also those of functions."""
    waiting = [model.graph, *(each.initialization for each in model.training_info)]
    waiting += [each.algorithm for each in model.training_info]
    roots: list[Any] = [*waiting, *model.functions]
    while roots:
        part = roots.pop()
        if part.DESCRIPTOR.name == "GraphProto":
            yield part
        for node in part.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    roots.append(attribute.g)
                roots.extend(attribute.graphs)


def _nodes(model: Any) -> Iterator[Any]:
    for part in (*_graphs(model), *model.functions):
        yield from part.node


def _tensors(model: Any) -> Iterator[Any]:
    for graph in _graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for function in model.functions:
        yield from _held(function.attribute_proto)
    for node in _nodes(model):
        yield from _held(node.attribute)


def _held(attributes: Any) -> Iterator[Any]:
    for attribute in attributes:
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        yield attribute.t
        yield from attribute.tensors


def _is_external(tensor: Any) -> bool:
    return bool(tensor.data_location == _EXTERNAL or len(tensor.external_data))


def _take_in(tensor: Any, folder: Path, room: int) -> int:
    """Read a tensor's weights from the file named there; return their size in bytes."""
    facts = {each.key: each.value for each in tensor.external_data}
    file = _confined(facts.get("location", ""), folder)
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", -1))
    except ValueError:
        raise _refused(f"place or size of {tensor.name!r} is no number") from None
    size = file.stat().st_size
    length = size - offset if length < 0 and "length" not in facts else length
    if offset < 0 or length < 0 or offset + length > size:
        raise _refused(
            f"{tensor.name!r} is said to lie at {offset:,} + {length:,} bytes of"
            f" {file.name!r}, which has {size:,}"
        )
    if length > room:
        raise _refused(
            "it has more than 2 GiB of weights",
            "A stored graph is one message, which can hold 2 GiB.",
            "Register the network that it was exported from.",
        )
    with file.open("rb") as opened:
        opened.seek(offset)
        tensor.raw_data = opened.read(length)
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")
    return length


def _confined(location: str, folder: Path) -> Path:
    """Return the file of weights, which must be a plain file in the folder."""
    parts = PurePosixPath(location.replace("\\", "/")).parts
    if (
        not parts
        or ".." in parts
        or PurePosixPath(location).is_absolute()
        or PureWindowsPath(location).anchor
        or "\0" in location
    ):
        raise _refused(f"it names weights at {location!r}, outside of its folder")
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise _refused(f"it names weights at {location!r}, through the link {part!r}")
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        raise _refused(
            f"it names weights at {location!r}, and there is no such file",
            fix="Put the file of weights beside the graph, or export the model again.",
        ) from None
    if not stat.S_ISREG(mode):
        raise _refused(f"it names weights at {location!r}, which is no plain file")
    return path


def _refused(reason: str, why: str = "", fix: str = "") -> SerializationError:
    return SerializationError(
        what=f"The ONNX model is refused: {reason}.",
        why=why or "A stored model runs no code and reads no file when it is loaded.",
        fix=fix or "Do not use this file; export the model again.",
        format="onnx",
    )
