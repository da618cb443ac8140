"""Rules for names and lengths, as an MLflow server has them: a client relies on each."""

import posixpath
import re
from functools import lru_cache

from penstock.server.mlflow._errors import invalid

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


@lru_cache(maxsize=4096)
def check_key(key: str, kind: str) -> str:
    """Return the key of a metric, parameter or tag, if it is one."""
    if not key or not _KEY.fullmatch(key):
        raise invalid(
            f"Invalid {kind} name: {key[:300]!r}. Names may only contain alphanumerics, "
            "underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )
    if key != posixpath.normpath(key) or key.startswith(("/", "..")) or key == ".":
        raise invalid(
            f"Invalid {kind} name: {key[:300]!r}. Names may be treated as files in certain cases, "
            f"and must not resolve to other names when treated as such. This name would resolve "
            f"to {posixpath.normpath(key)[:300]!r}."
        )
    if len(key) > KEY_LENGTH:
        raise invalid(
            f"{kind.capitalize()} name {key[:30]!r}... had length {len(key)}, "
            f"which exceeded length limit of {KEY_LENGTH}."
        )
    return key


def check_length(text: str, most: int, what: str) -> str:
    """Return a text that is not too long."""
    if len(text) > most:
        raise invalid(f"{what} had length {len(text)}, which exceeded length limit of {most}.")
    return text


def check_run_id(run_id: str) -> str:
    """Return an id that may be a run's."""
    if not _RUN_ID.fullmatch(run_id):
        raise invalid(f"Invalid run ID: {run_id[:100]!r}.")
    return run_id


def check_experiment_id(experiment_id: str) -> str:
    """Return an id that may be an experiment's: a whole number, as a text."""
    if not _WHOLE.fullmatch(experiment_id):
        raise invalid(f"Invalid experiment ID: {experiment_id[:100]!r}. It must be a whole number.")
    return str(int(experiment_id))


def check_experiment_name(name: str) -> str:
    """Return a name that an experiment may have."""
    if not name.strip():
        raise invalid("Invalid experiment name: it must not be empty.")
    return check_length(name, EXPERIMENT_NAME_LENGTH, f"Experiment name {name[:30]!r}...")


def check_model_name(name: str) -> str:
    """Return a name that a registered model may have."""
    if not name.strip():
        raise invalid("Registered model name cannot be empty.")
    if "/" in name or ":" in name:
        raise invalid(
            f"Invalid model name: {name[:100]!r}. Registered model name cannot contain '/' or ':'."
        )
    return check_length(name, 256, f"Registered model name {name[:30]!r}...")


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
    return check_length(alias, 255, f"Alias {alias[:30]!r}...")


def check_version(version: str) -> int:
    """Return the number of a version."""
    if not _WHOLE.fullmatch(version):
        raise invalid(f"Model version must be an integer, got {version[:100]!r}.")
    return int(version)
