"""Values of penstock's own as MLflow writes them: texts."""

import json
from typing import Any


def param_text(value: Any) -> str:
    """Return a parameter's value as MLflow's clients write it.

    >>> param_text("a"), param_text(0.1), param_text(True), param_text({"depth": 3})
    ('a', '0.1', 'True', '{"depth": 3}')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    return str(value)
