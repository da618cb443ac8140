"""Rules for names and lengths, as an MLflow server has them: a client relies on each."""

import posixpath
import re
from functools import lru_cache

from penstock.http import encode_json
from penstock.server.mlflow._errors import MlflowError, invalid, lacking

KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
EXPERIMENT_TAG_LENGTH = 20_000
MODEL_TAG_LENGTH = 100_000
EXPERIMENT_NAME_LENGTH = 500
BATCH_METRICS, BATCH_PARAMS, BATCH_TAGS, BATCH_ALL = 1000, 100, 100, 1000
DATASET_LENGTHS = {
    "name": 500,
    "digest": 36,
    "source": 65_535,
    "schema": 1_048_575,
    "profile": 16_777_215,
}
_KEY = re.compile(r"[/\w.\- :]*", re.UNICODE)
_WHOLE = re.compile(r"[0-9]{1,18}")  # what 64 bits hold
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_ALIAS = re.compile(r"[\w\-]*")
_VERSION_ALIAS = re.compile(r"v\d+", re.IGNORECASE)
_NOT_IN_LOGGED_NAME = re.compile(r"[/:.%\"']")


def check_key(key: str, kind: str, place: str = "") -> str:
    """Return the key of a metric, parameter or tag, if it is one.

    Args:
        key: The key.
        kind: ``metric``, ``param`` or ``tag``.
        place: Where it is in its request, for messages: ``"metrics[0]."``.
    """
    fault = _fault(key)
    if fault:
        name = place + ("name" if kind == "metric" else "key")
        shown = encode_json(key[:300]).decode()
        raise invalid(f"Invalid value {shown} for parameter '{name}' supplied: {fault}")
    if len(key) > KEY_LENGTH:
        what = {"metric": "Metric name", "param": "Param key"}.get(kind, place + "key")
        raise _too_long(key, KEY_LENGTH, what)
    return key


@lru_cache(maxsize=4096)
def _fault(key: str) -> str:
    """Return what is wrong with a key; nothing if it is one, whatever its length."""
    if not key or not _KEY.fullmatch(key):
        return (
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), "
            "spaces ( ), colon(:) and slashes (/)."
        )
    if key != posixpath.normpath(key) or key.startswith(("/", "..")) or key == ".":
        return (
            "Names may be treated as files in certain cases, and must not resolve to other names "
            "when treated as such. This name would resolve to "
            f"{posixpath.normpath(key)[:300]!r}."
        )
    return ""


def check_length(text: str, most: int, what: str) -> str:
    """Return a text that is not too long."""
    if len(text) > most:
        raise _too_long(text, most, what)
    return text


def _too_long(text: str, most: int, what: str) -> MlflowError:
    return invalid(
        f"'{what}' exceeds the maximum length of {most} characters: {text[:30]!r}... has "
        f"{len(text)}."
    )


def check_run_id(run_id: str) -> str:
    """Return an id that may be a run's."""
    if not _RUN_ID.fullmatch(run_id):
        raise invalid(f"Invalid run ID: {run_id[:100]!r}.")
    return run_id


def check_experiment_id(experiment_id: str) -> str:
    """Return an id that may be an experiment's: a whole number, as a text."""
    if not _WHOLE.fullmatch(experiment_id.removeprefix("-")):
        raise invalid(
            f"Invalid experiment ID '{experiment_id[:100]}'. Experiment ID must be a valid integer."
        )
    return str(int(experiment_id))


def check_experiment_name(name: str) -> str:
    """Return a name that an experiment may have."""
    if not name.strip():
        raise invalid("Invalid experiment name: it must not be empty.")
    return check_length(name, EXPERIMENT_NAME_LENGTH, "name")


def check_model_name(name: str) -> str:
    """Return a name that a registered model may have."""
    if not name.strip():
        raise lacking("name")
    if "/" in name or ":" in name:
        raise invalid(f"Invalid model name '{name[:100]}'. Names cannot contain '/' or ':'.")
    return check_length(name, 256, "name")


def check_logged_name(name: str) -> str:
    """Return a name that a logged model may have."""
    if _NOT_IN_LOGGED_NAME.search(name):
        raise invalid(
            f"Invalid model name ({name[:100]}) provided. Model name must be a non-empty string "
            "and cannot contain the following characters: ('/', ':', '.', '%', '\"', \"'\")"
        )
    return name


def check_alias(alias: str) -> str:
    """Return an alias of a version."""
    if not alias or not _ALIAS.fullmatch(alias):
        raise invalid(
            f"Invalid alias name: {alias[:100]!r}. Names may only contain alphanumerics, "
            "underscores (_) and dashes (-)."
        )
    if alias.lower() == "latest":
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if _VERSION_ALIAS.fullmatch(alias):
        raise invalid(
            f"Version alias name {alias!r} is reserved: 'v' and digits look like a version number."
        )
    return check_length(alias, 255, "Registered model alias name")


def check_version(version: str) -> int:
    """Return the number of a version."""
    if not _WHOLE.fullmatch(version):
        raise invalid(f"Parameter 'version' must be an integer, got {version[:100]!r}.")
    return int(version)
