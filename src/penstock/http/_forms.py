"""Forms of pages: read within limits; apart from JSON bodies, which programs send."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from penstock.http._messages import HttpError

FORM = "application/x-www-form-urlencoded"
MOST_FORM_BYTES = 64 * 1024
_MOST_FIELDS = 50


def read_form(content_type: str, body: bytes) -> Mapping[str, str]:
    """Return the fields of a form; of a repeated field the last.

    >>> dict(read_form("application/x-www-form-urlencoded", b"name=ada&role=&x=a%20b"))
    {'name': 'ada', 'role': '', 'x': 'a b'}

    Raises:
        HttpError: 415 for the wrong type, 413 for a large body, 400 for an unreadable body.
    """
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise HttpError(415, "The body is no form.", fix=f"Send {FORM}.")
    if len(body) > MOST_FORM_BYTES:
        raise HttpError(413, f"The form is larger than {MOST_FORM_BYTES // 1024} KiB.")
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise HttpError(400, "The form cannot be read.", fix="Send it from the page.") from error
    return {name: value.replace("\0", "") for name, value in pairs}
