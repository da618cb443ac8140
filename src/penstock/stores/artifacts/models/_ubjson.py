"""XGBoost's binary form (UBJSON) as its text form (JSON), so that one check reads both.

The library follows the numbers of a file without a look, and only the text is checked before it
does. Values are written so that the library reads the same numbers from the text.
"""

import json
import struct
from typing import Any

_MOST_DEPTH = 64
# Type by marker: format of struct, and NumPy's type of a whole array.
_NUMBERS = {
    "i": (">b", ">i1"),
    "U": (">B", ">u1"),
    "I": (">h", ">i2"),
    "l": (">i", ">i4"),
    "L": (">q", ">i8"),
    "d": (">f", ">f4"),
    "D": (">d", ">f8"),
}
_WORDS: dict[str, Any] = {"Z": None, "T": True, "F": False}


def text_of_ubjson(data: bytes) -> bytes:
    r"""Return UBJSON as JSON.

    >>> text_of_ubjson(b"{i\x01a[$U#i\x02\x01\x02}")
    b'{"a":[1,2]}'

    Raises:
        ValueError: If the bytes are not a whole value of UBJSON, or nested too deep.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.place != len(data):
        raise ValueError("there are bytes behind the end of the model")
    return json.dumps(value, separators=(",", ":")).encode()


class _Reader:
    """Reads a value after another; every count is compared with the bytes that are left."""

    def __init__(self, data: bytes) -> None:
        self._data, self.place = data, 0

    def value(self, depth: int) -> Any:
        if depth > _MOST_DEPTH:
            raise ValueError("the model is nested too deep")
        marker = self._marker()
        if marker in _NUMBERS:
            return self._number(marker)
        if marker in _WORDS:
            return _WORDS[marker]
        if marker == "S":
            return self._text()
        if marker == "{":
            return self._object(depth)
        if marker == "[":
            return self._array(depth)
        raise ValueError(f"{marker!r} is no type of value")

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._data[self.place : self.place + 1] != b"}":
            name = self._text()
            if name in found:
                raise ValueError(f"{name[:80]!r} is there twice")
            found[name] = self.value(depth + 1)
        self.place += 1
        return found

    def _array(self, depth: int) -> list[Any]:
        start = self._data[self.place : self.place + 1]
        if start == b"$":
            self.place += 1
            marker = self._marker()
            if marker not in _NUMBERS or self._marker() != "#":
                raise ValueError(f"an array of {marker!r} is not known")
            return self._numbers(marker, self._count())
        if start == b"#":
            self.place += 1
            return [self.value(depth + 1) for _ in range(self._count())]
        found = []
        while self._data[self.place : self.place + 1] != b"]":
            found.append(self.value(depth + 1))
        self.place += 1
        return found

    def _numbers(self, marker: str, count: int) -> list[Any]:
        import numpy as np

        kind = np.dtype(_NUMBERS[marker][1])
        found: list[Any] = np.frombuffer(self._take(count * kind.itemsize), kind).tolist()
        return found

    def _number(self, marker: str) -> Any:
        form = _NUMBERS[marker][0]
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _text(self) -> str:
        return self._take(self._count()).decode()

    def _count(self) -> int:
        marker = self._marker()
        count = self._number(marker) if marker in _NUMBERS else None
        if type(count) is not int or not 0 <= count <= len(self._data) - self.place:
            raise ValueError("the model has fewer bytes than it says")
        return count

    def _marker(self) -> str:
        return self._take(1).decode("latin-1")

    def _take(self, size: int) -> bytes:
        end = self.place + size
        if end > len(self._data):
            raise ValueError("the model ends too early")
        found = self._data[self.place : end]
        self.place = end
        return found
