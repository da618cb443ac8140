"""Sizes as people write them: ``512MiB``, ``8 GB``."""

import re

from penstock.core._errors import ParameterError

_UNITS = {"": 1, "b": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


def parse_bytes(text: str | float) -> int:
    """Read a number of bytes from text.

    >>> parse_bytes("8GiB") == 8 * 2**30, parse_bytes("1.5 MB"), parse_bytes(4096)
    (True, 1500000, 4096)

    Args:
        text: A number with a unit: B, kB, MB, GB, TB (thousands) or KiB, MiB, GiB, TiB (1024s);
            without a unit, bytes.

    Raises:
        ParameterError: If the text cannot be read.
    """
    match = _SIZE.fullmatch(str(text).lower())
    unit = match[2] if match else ""
    unit = unit if unit in _UNITS else unit.removesuffix("b")
    factor = {**_UNITS, **_BINARY}.get(unit)
    if match is None or factor is None:
        raise ParameterError(
            what=f"{text!r} is no size.", fix="Write for example '512MiB' or '8GB'.", text=text
        )
    return int(float(match[1]) * factor)
