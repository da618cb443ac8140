"""MLflow's error codes with their status, and penstock's errors as such codes."""

import logging
from collections.abc import Mapping

from penstock.core import (
    AccessError,
    ConflictError,
    GateError,
    NotFoundError,
    ParameterError,
    PenstockError,
    RateLimitError,
    SerializationError,
    SignInError,
    StoreError,
)

INVALID = "INVALID_PARAMETER_VALUE"
MISSING = "RESOURCE_DOES_NOT_EXIST"
EXISTS = "RESOURCE_ALREADY_EXISTS"
CONFLICT = "RESOURCE_CONFLICT"
DENIED = "PERMISSION_DENIED"
NO_ENDPOINT = "ENDPOINT_NOT_FOUND"
EXHAUSTED = "RESOURCE_EXHAUSTED"
_INTERNAL = "INTERNAL_ERROR"
# A client sends again what was answered with 5xx, for minutes: only what may pass has these.
STATUS: Mapping[str, int] = {
    INVALID: 400,
    EXISTS: 400,
    "BAD_REQUEST": 400,
    "UNAUTHENTICATED": 401,
    DENIED: 403,
    MISSING: 404,
    NO_ENDPOINT: 404,
    CONFLICT: 409,
    "REQUEST_LIMIT_EXCEEDED": 429,
    _INTERNAL: 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
    EXHAUSTED: 507,
}
_CODES: tuple[tuple[type[PenstockError], str], ...] = (
    (SignInError, "UNAUTHENTICATED"),
    (AccessError, DENIED),
    (RateLimitError, "REQUEST_LIMIT_EXCEEDED"),
    (NotFoundError, MISSING),
    (ConflictError, CONFLICT),
    (GateError, DENIED),
    (ParameterError, INVALID),
    (SerializationError, INVALID),
    (StoreError, "TEMPORARILY_UNAVAILABLE"),
)
_log = logging.getLogger(__name__)


class MlflowError(PenstockError):
    """A refusal in MLflow's own terms.

    Args:
        code: MLflow's code; decides the status.
        message: The sentence for the client.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> MlflowError:
    """Return the refusal of a value."""
    return MlflowError(INVALID, message)


def lacking(name: str) -> MlflowError:
    """Return the refusal of a request without a value that it needs."""
    return invalid(
        f"Missing value for required parameter '{name}'. "
        "See the API docs for more information about request parameters."
    )


def missing(message: str) -> MlflowError:
    """Return the refusal of a name that nothing has."""
    return MlflowError(MISSING, message)


def explain(error: Exception) -> tuple[str, str]:
    """Return an error as MLflow's code and message."""
    if isinstance(error, MlflowError):
        return error.code, error.what
    if isinstance(error, PenstockError):
        code = next((code for kind, code in _CODES if isinstance(error, kind)), _INTERNAL)
        return code, str(error)
    _log.error("A request of an MLflow client failed.", exc_info=error)
    return _INTERNAL, f"{type(error).__name__}: {error}"
