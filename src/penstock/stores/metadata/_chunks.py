"""Metric points as compressed columns: `encode_chunks` for the store, `decode` for the reader.

A chunk holds up to 8,192 points of a series in the order of their logging. Each of the columns
(step, value, time) is written in the form that fits:

- *raw*: eight bytes a point, for a few points,
- *line*: first value and difference, for steps that count and constant values,
- *differences*: of whole numbers, in as few bytes as the greatest needs, for times,
- *planes*: the first bytes of all points, then the second bytes, …: the bytes of a plane are
  alike (exponents) or noise (the end of a mantissa), and zlib is spent on the first only.

Both parts of a chunk begin with a checksum: a reader never receives damaged points.

The *outline* of a chunk is the lowest and the highest point of each stretch of 512: a chart of
millions of points reads these and not the points.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Column = NDArray[Any]  # of either
    Kind = np.dtype[Any]

MOST = 8192
_STRETCH = 512
_UNSEALED, _FORMAT = 1, 2  # without a checksum, as in stores before version 0005; with a checksum
_RAW, _LINE, _DIFFERENCES, _PLANES = range(4)
_CONSTANT, _PLAIN, _ZLIB = range(3)
_FEW = 32  # a chunk of so few points is merged into a larger chunk soon
_PROBE = 512
_SHORT = 64  # bytes of a part that zlib is not tried with: it saves a few of them
_NOISE = 0.08  # share by which the distinct bytes of noise may differ from their expected number
_WORTH = 0.9
_HEAD = struct.Struct("<BI")
_SUM = struct.Struct("<I")
_PAIR = 16  # bytes of a step and a value
_PART = struct.Struct("<BI")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Up to 8,192 points of a series, encoded.

    Args:
        count: Number of points.
        points: Columns of the points.
        outline: Extremes of the points; empty if there are too few points to omit any.
    """

    count: int
    points: bytes
    outline: bytes


def encode_chunks(
    steps: "Sequence[float] | Floats",
    values: "Sequence[float] | Floats",
    times: "Sequence[int] | Integers",
) -> list[Chunk]:
    """Encode points in the order of their logging.

    >>> [chunk] = encode_chunks([0, 1], [0.5, float("nan")], [10, 20])
    >>> chunk.count
    2

    Args:
        steps: Finite numbers, shape (n,).
        values: Any numbers, shape (n,).
        times: Microseconds since 1970, shape (n,).
    """
    import numpy as np

    x = np.ascontiguousarray(steps, dtype=np.float64)
    y = np.ascontiguousarray(values, dtype=np.float64)
    t = np.ascontiguousarray(times, dtype=np.int64)
    return [
        _encode(x[start : start + MOST], y[start : start + MOST], t[start : start + MOST])
        for start in range(0, len(x), MOST)
    ]


def decode(points: bytes) -> "tuple[Floats, Floats, Integers]":
    """Return steps, values and times.

    >>> [chunk] = encode_chunks([0, 1], [0.5, 0.25], [10, 20])
    >>> [column.tolist() for column in decode(chunk.points)]
    [[0.0, 1.0], [0.5, 0.25], [10, 20]]

    Raises:
        ValueError: If the points were damaged.
    """
    import numpy as np

    try:
        count, place = _open(points)
        steps, place = _read_column(points, place, count, np.dtype(np.float64))
        values, place = _read_column(points, place, count, np.dtype(np.float64))
        times, _ = _read_column(points, place, count, np.dtype(np.int64))
    except (IndexError, struct.error, zlib.error) as error:
        raise ValueError(f"a chunk cannot be read ({error})") from error
    return steps, values, times


def _open(points: bytes) -> tuple[int, int]:
    """Check a chunk; return the number of points and the position of the first."""
    form, count = _HEAD.unpack_from(points)
    if form == _UNSEALED:
        return count, _HEAD.size
    (checksum,) = _SUM.unpack_from(points, _HEAD.size)
    begin = _HEAD.size + _SUM.size
    if form != _FORMAT or zlib.crc32(memoryview(points)[begin:], count) != checksum:
        raise ValueError("a chunk is not what was written")
    return count, begin


def seal_points(points: bytes) -> bytes:
    """Add a checksum to points that have none yet."""
    form, count = _HEAD.unpack_from(points)
    return points if form != _UNSEALED else _sealed(count, points[_HEAD.size :])


def seal_outline(outline: bytes) -> bytes:
    """Add a checksum to an outline that has none yet."""
    is_bare = outline and len(outline) % _PAIR == 0
    return _SUM.pack(zlib.crc32(outline)) + outline if is_bare else outline


def _sealed(count: int, columns: bytes) -> bytes:
    return _HEAD.pack(_FORMAT, count) + _SUM.pack(zlib.crc32(columns, count)) + columns


def read_outline(outline: bytes) -> "tuple[Floats, Floats]":
    """Return the steps and values of an outline.

    Raises:
        ValueError: If the outline was damaged.
    """
    import numpy as np

    bare = outline
    if len(outline) % _PAIR:
        bare = outline[_SUM.size :]
        if len(bare) % _PAIR or _SUM.unpack_from(outline) != (zlib.crc32(bare),):
            raise ValueError("the outline of a chunk is not what was written")
    pairs = np.frombuffer(bare, dtype=np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def thin(steps: "Floats", values: "Floats", most: int) -> "NDArray[np.intp]":
    """Return at most ``most`` points, the lowest and highest of each stretch, so that spikes stay.

    >>> import numpy as np
    >>> thin(np.arange(6.0), np.array([0.0, 0, 9, 0, -9, 0]), 4).tolist()
    [0, 2, 3, 4]

    Args:
        steps: In order, shape (n,).
        values: Shape (n,); NaN counts only where a stretch has nothing else.
        most: 1 or more; with 1 the last point.

    Returns:
        Positions of the points, in order.
    """
    import numpy as np

    if len(steps) <= most:
        return np.arange(len(steps))
    if most == 1:
        return np.array([len(steps) - 1])
    places = _extremes(values, -(-len(values) // (most // 2)))
    return np.unique(places)


def _encode(steps: "Floats", values: "Floats", times: "Integers") -> Chunk:
    columns = (_write_column(steps), _write_column(values), _write_column(times))
    points = _sealed(len(steps), b"".join(columns))
    return Chunk(len(steps), points, seal_outline(_outline(steps, values)))


def _outline(steps: "Floats", values: "Floats") -> bytes:
    import numpy as np

    if len(steps) < 2 * _STRETCH:
        return b""
    places = np.unique(_extremes(values, _STRETCH))
    return np.column_stack((steps[places], values[places])).tobytes()


def _extremes(values: "Floats", stretch: int) -> "NDArray[np.intp]":
    """Return the positions of the lowest and the highest value of each stretch."""
    import numpy as np

    whole = len(values) // stretch * stretch
    blocks = values[:whole].reshape(-1, stretch)
    starts = np.arange(0, whole, stretch)
    # fmin and fmax ignore NaN; the position is then found by value, NaN only among NaN.
    places = []
    for pick, worst in ((np.argmin, np.inf), (np.argmax, -np.inf)):
        clean = np.where(np.isnan(blocks), worst, blocks)
        places.append(starts + pick(clean, axis=1))
        if whole < len(values):
            rest = values[whole:]
            places.append(np.array([whole + pick(np.where(np.isnan(rest), worst, rest))]))
    return np.concatenate(places)


def _write_column(column: "Column") -> bytes:
    if len(column) < _FEW:
        return bytes([_RAW]) + column.tobytes()
    line = _as_line(column)
    if line is not None:
        return bytes([_LINE]) + line
    whole = _as_integers(column)
    if whole is None:
        return bytes([_PLANES]) + _write_planes(column)
    return bytes([_DIFFERENCES]) + _write_differences(whole)


def _as_line(column: "Column") -> bytes | None:
    """Return first value and difference if the column is a straight line, exactly; else None."""
    import numpy as np

    first = column[:1]
    with np.errstate(all="ignore"):
        slope = column[1:2] - first if len(column) > 1 else first - first
        if len(column) > 2 and column[2] - column[1] != slope[0]:  # noqa: PLR2004 - a third point
            return None
        drawn = first + np.arange(len(column), dtype=column.dtype) * slope
    # Compared as bits: -0.0 is not 0.0, and NaN is itself.
    if not np.array_equal(drawn.view(np.int64), column.view(np.int64)):
        return None
    return bytes(first.tobytes() + slope.tobytes())


def _as_integers(column: "Column") -> "Integers | None":
    """Return whole numbers as integers; as floats they would need all their bytes; else None."""
    import numpy as np

    if column.dtype == np.int64:
        return column
    with np.errstate(invalid="ignore"):
        whole = column.astype(np.int64)
    same = np.array_equal(whole.astype(np.float64).view(np.int64), column.view(np.int64))
    return whole if same and np.abs(whole).max() < 1 << 53 else None


def _write_differences(column: "Integers") -> bytes:
    import numpy as np

    moved = np.diff(column)
    zigzag = (moved << 1) ^ (moved >> 63)  # small differences of either sign are small numbers
    width = _width(int(zigzag.max()))
    packed = _pack_part(zigzag.astype(f"<u{width}").tobytes())
    return column[:1].tobytes() + bytes([width]) + packed


def _width(most: int) -> int:
    return next(width for width in (1, 2, 4, 8) if most < 1 << (8 * width))


def _write_planes(column: "Column") -> bytes:
    import numpy as np

    planes = np.ascontiguousarray(column.view(np.uint8).reshape(-1, 8).T)
    noise = _are_noise(planes[:, :_PROBE])
    return b"".join(
        _pack_part(plane.tobytes(), is_noise=each)
        for plane, each in zip(planes, noise, strict=True)
    )


def _are_noise(planes: "NDArray[np.uint8]") -> list[bool]:
    """Return for each row whether it has about as many distinct bytes as noise of its length.

    Counting is several times as fast as zlib, which most planes would be tried with in vain.
    """
    import numpy as np

    count, length = planes.shape
    numbered = planes + 256 * np.arange(count)[:, np.newaxis]
    found = np.bincount(numbered.reshape(-1), minlength=256 * count).reshape(count, 256)
    distinct = np.count_nonzero(found, axis=1)
    expected = 256 * (1 - (255 / 256) ** length)
    return (np.abs(distinct - expected) < _NOISE * expected).tolist()  # type: ignore[no-any-return] # of NumPy


def _pack_part(data: bytes, *, is_noise: bool = False) -> bytes:
    if data.count(data[0]) == len(data):
        kind, packed = _CONSTANT, data[:1]
    elif is_noise or len(data) < _SHORT:
        kind, packed = _PLAIN, data
    else:
        kind, packed = _squeeze(data)
    return _PART.pack(kind, len(packed)) + packed


def _squeeze(data: bytes) -> tuple[int, bytes]:
    # Noise is recognised by the beginning: compressing all of it would take most of the time.
    if len(zlib.compress(data[:_PROBE], 1)) < _WORTH * min(_PROBE, len(data)):
        packed = zlib.compress(data, 1)
        if len(packed) < _WORTH * len(data):
            return _ZLIB, packed
    return _PLAIN, data


def _read_column(points: bytes, place: int, count: int, dtype: "Kind") -> tuple["Column", int]:
    import numpy as np

    form, place = points[place], place + 1
    if form == _LINE:
        first, slope = np.frombuffer(points, dtype, 2, place)
        with np.errstate(all="ignore"):
            return first + np.arange(count, dtype=dtype) * slope, place + 16
    if form == _RAW:
        return np.frombuffer(points, dtype, count, place), place + 8 * count
    if form == _DIFFERENCES:
        return _read_differences(points, place, count, dtype)
    parts = []
    for _ in range(8):
        part, place = _read_part(points, place, count)
        parts.append(part)
    planes = np.frombuffer(b"".join(parts), np.uint8).reshape(8, count)
    return np.ascontiguousarray(planes.T).reshape(-1).view(dtype), place


def _read_differences(points: bytes, place: int, count: int, dtype: "Kind") -> tuple["Column", int]:
    import numpy as np

    (first,) = np.frombuffer(points, np.int64, 1, place)
    width = points[place + 8]
    part, place = _read_part(points, place + 9, width * (count - 1))
    zigzag = np.frombuffer(part, f"<u{width}").astype(np.uint64)
    column = np.empty(count, np.int64)
    column[0] = first
    column[1:] = (zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)
    return np.cumsum(column).astype(dtype, copy=False), place


def _read_part(points: bytes, place: int, length: int) -> tuple[bytes, int]:
    kind, size = _PART.unpack_from(points, place)
    place += _PART.size
    data = points[place : place + size]
    if kind == _CONSTANT:
        data *= length
    elif kind == _ZLIB:
        data = zlib.decompress(data)
    return data, place + size
