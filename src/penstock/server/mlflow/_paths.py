"""Where an artifact path leads: to files of a run, of a logged model, or loose ones.

A client's path is never a path of this machine: it is a name among the names that the store knows,
and names that could mean anything else are refused.
"""

import re
import urllib.parse
from dataclasses import dataclass

from penstock.server.mlflow._errors import invalid

_ROOT = "artifacts"
_MODELS = "models"
_VERSIONS = "versions"
_PARTS = 3  # experiment, run, "artifacts"
_DECODINGS = 10
_LONGEST = 900  # bytes; PostgreSQL indexes at most 2,704, of which names share some with ids
_DRIVE = re.compile(r"[A-Za-z]:($|/)")


@dataclass(frozen=True, slots=True)
class ArtifactPlace:
    """A name of a file or folder, and whose it is.

    Args:
        kind: ``run``, ``model``, ``version`` or ``loose``.
        owner: Id of the run or model, or a version as ``model/number``.
        path: The name there; empty for the root.
    """

    kind: str
    owner: str
    path: str


def safe_path(path: str) -> str:
    """Return a path in its plain form, without empty parts.

    >>> safe_path("model//MLmodel")
    'model/MLmodel'

    Raises:
        MlflowError: If it is absolute, leaves its root, or has characters of other notations.
    """
    decoded = path
    for _ in range(_DECODINGS):
        _check(decoded)
        again = urllib.parse.unquote(decoded)
        if again == decoded:
            break
        decoded = again
    else:
        raise _refused()
    if len(path.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise invalid(f"Invalid path: it is longer than {_LONGEST} bytes.")
    return "/".join(part for part in path.split("/") if part not in {"", "."})


def locate(path: str) -> ArtifactPlace:
    """Return where a path under the root of all artifacts leads.

    >>> locate("1/abc/artifacts/model/MLmodel")
    ArtifactPlace(kind='run', owner='abc', path='model/MLmodel')
    """
    parts = safe_path(path).split("/")
    if len(parts) >= _PARTS and parts[0] == _VERSIONS and parts[2].isdecimal():
        return ArtifactPlace("version", f"{parts[1]}/{parts[2]}", "/".join(parts[3:]))
    if len(parts) > _PARTS and parts[1] == _MODELS and parts[3] == _ROOT:
        return ArtifactPlace("model", parts[2], "/".join(parts[4:]))
    if len(parts) >= _PARTS and parts[0].isdigit() and parts[2] == _ROOT:
        return ArtifactPlace("run", parts[1], "/".join(parts[3:]))
    return ArtifactPlace("loose", "", "/".join(part for part in parts if part))


def _check(decoded: str) -> None:
    bad = (
        decoded.startswith("/")
        or "\\" in decoded
        or "#" in decoded
        or _DRIVE.match(decoded) is not None
        or any(part.strip(". ") == "" and part.count(".") > 1 for part in decoded.split("/"))
        or any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in decoded)  # noqa: PLR2004 - control characters and halves of characters
        or decoded.partition("/")[0].lower() in {"file:", "http:", "https:", "s3:"}
    )
    if bad:
        raise _refused()


def _refused() -> Exception:
    return invalid("Invalid path")  # MLflow's words, which its own tests compare
