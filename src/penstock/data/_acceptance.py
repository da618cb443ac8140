"""accept_rows: rows that a check refuses are accepted on purpose, by name and with a reason."""

import json
import re
from dataclasses import dataclass

from penstock.core import (
    ParameterError,
    current_actor,
    now,
    require_reason,
    require_type,
    short,
    to_json,
)
from penstock.stores import Store, open_store

_SHORT = re.compile(r"(?:sha256:)?([0-9a-f]{12})[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A decision that refused rows are right.

    Args:
        by: Actor of the acceptance.
        at: Time, ISO.
        reason: Why they are right.
    """

    by: str
    at: str
    reason: str


def accept_rows(
    dataset: str,
    digest: str,
    reason: str,
    *,
    actor: str | None = None,
    store: Store | str | None = None,
) -> Acceptance:
    """Accept rows of a data set that expectations or the recorded schema refuse.

    The next reading of just these rows passes; the findings stay as warnings, and the rows count as
    normal from then on. All further rows are judged as before.

    Args:
        dataset: Name of the source.
        digest: Ordered digest of the rows, or its first 12 digits, as the refusal shows it.
        reason: Why they are right.
        actor: Actor of the acceptance; by default the current user.
        store: Store of the runs; by default the project's store.

    Raises:
        ParameterError: If the digest is none, or the reason is empty.
    """
    require_type("dataset", dataset, str, "Give the name of the data set.")
    require_type("digest", digest, str, "Give the 12 digits that the refusal shows.")
    match = _SHORT.fullmatch(digest)
    if match is None:
        raise ParameterError(
            what=f"{digest!r} is no digest of rows.",
            fix="Give the 12 digits that the refusal shows.",
        )
    acceptance = Acceptance(
        actor or current_actor(), str(to_json(now())), require_reason(reason, "An acceptance")
    )
    text = json.dumps({"by": acceptance.by, "at": acceptance.at, "reason": acceptance.reason})
    open_store(store).metadata.settings.set(_key(dataset, match[1]), text, actor=acceptance.by)
    return acceptance


def find_acceptance(store: Store, dataset: str, ordered_digest: str) -> Acceptance | None:
    """Return the acceptance of rows; None if there is none."""
    text = store.metadata.settings.get(_key(dataset, short(ordered_digest)))
    return None if text is None else Acceptance(**json.loads(text))


def _key(dataset: str, digits: str) -> str:
    return f"accepted rows {digits} of {dataset}"
