"""Reads manifests by the models that hera generates from Argo's schema: check_argo.py FILE.json…

A key that is lost on the way is one that Argo does not know.
"""

import json
import sys
from pathlib import Path

from hera.workflows import models


def lost(given, read, place):
    """Return the places of what was given and not read."""
    if isinstance(given, dict):
        return [
            found
            for key, value in given.items()
            for found in (
                lost(value, read[key], f"{place}.{key}")
                if isinstance(read, dict) and key in read
                else [f"{place}.{key}"]
            )
        ]
    if isinstance(given, list):
        pairs = zip(given, read, strict=True)
        return [found for n, (a, b) in enumerate(pairs) for found in lost(a, b, f"{place}[{n}]")]
    return []


for name in sys.argv[1:]:
    document = json.loads(Path(name).read_text(encoding="utf-8"))
    model = getattr(models, document["kind"])
    parse = getattr(model, "model_validate", None) or model.parse_obj
    read = json.loads(parse(document).json(by_alias=True, exclude_none=True))
    unknown = lost(document, read, document["kind"])
    if unknown:
        sys.exit(f"unknown: {unknown}")
    print(document["kind"])
