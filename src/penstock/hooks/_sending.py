"""Sender: a single try to deliver an event, in the form of the hook."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import msgspec

from penstock.core import EventRecord, HookRecord, ParameterError, now, tls_context
from penstock.hooks._attempt import Attempt
from penstock.hooks._chat import slack_message, teams_message
from penstock.hooks._destination import find_destination
from penstock.hooks._kinds import SECRET_URLS
from penstock.hooks._mail import send_mail
from penstock.hooks._messages import gone_message, is_gone, message_of
from penstock.hooks._notice import Notice, notice_of
from penstock.hooks._openlineage import gone_event, run_event
from penstock.hooks._signature import headers_of
from penstock.stores import Store

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 10.0
# These statuses can pass later: timeout, too early, too many. The remaining 4xx are refusals.
_TRY_AGAIN = frozenset({408, 425, 429})
_NO, _BAD = range(400, 500), 300


class Sender:
    """Sends events; connections of HTTP are kept until the end of the with-block.

    Args:
        store: Store with the subjects of the events.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def send(self, hook: HookRecord, event: EventRecord) -> Attempt:
        """Try to deliver an event to the hook."""
        if hook.form == "email":
            return send_mail(hook, event, self._notice(event))
        return self._post(hook, event)

    def _post(self, hook: HookRecord, event: EventRecord) -> Attempt:
        import httpx

        body = msgspec.json.encode(self._document(hook, event), enc_hook=str)
        try:
            place = find_destination(target_of(hook))
            answer = self._http().post(
                place.url,
                content=body,
                headers={"host": place.host, **_headers(hook, event, now(), body)},
                extensions={"sni_hostname": place.name},
            )
        except (httpx.HTTPError, OSError) as error:
            return Attempt(ok=False, error=f"{hook.url}: {str(error) or type(error).__name__}")
        except ParameterError as error:  # the name may resolve to an allowed address later
            return Attempt(ok=False, error=f"{error.what} {error.fix}")
        if answer.status_code < _BAD:
            return Attempt(ok=True)
        reply = f"{hook.url} answered {answer.status_code} {answer.reason_phrase}."
        refused = answer.status_code in _NO and answer.status_code not in _TRY_AGAIN
        return Attempt(False, reply, refused, _retry_after(answer.headers.get("retry-after")))

    def _http(self) -> "httpx.Client":
        """Return the HTTP client.

        Redirects and proxies are off, since both would connect to an address that was not checked;
        certificates of SSL_CERT_FILE are used.
        """
        import httpx  # 60 ms, and only who has hooks needs it

        if self._client is None:
            self._client = httpx.Client(
                timeout=_TIMEOUT_S,
                follow_redirects=False,
                trust_env=False,
                verify=tls_context(),
            )
        return self._client

    def _document(self, hook: HookRecord, event: EventRecord) -> dict[str, Any]:
        match hook.form:
            case "openlineage":
                return (
                    gone_event(event)
                    if is_gone(self._store, event)
                    else run_event(self._store, event)
                )
            case "slack":
                return slack_message(self._notice(event))
            case "teams":
                return teams_message(self._notice(event))
        return self._message(event)

    def _notice(self, event: EventRecord) -> Notice:
        return notice_of(self._message(event))

    def _message(self, event: EventRecord) -> dict[str, Any]:
        return (
            gone_message(event) if is_gone(self._store, event) else message_of(self._store, event)
        )


def target_of(hook: HookRecord) -> str:
    """Return the URL for posts: of a chat the hook's secret."""
    return (hook.secret or "") if hook.form in SECRET_URLS else hook.url


def _headers(hook: HookRecord, event: EventRecord, at: datetime, body: bytes) -> dict[str, str]:
    headers = {"content-type": "application/json", "user-agent": "penstock"}
    if hook.form == "openlineage":
        return headers | ({"authorization": f"Bearer {hook.secret}"} if hook.secret else {})
    if hook.form in SECRET_URLS:
        return headers
    return headers | headers_of(hook.secret or "", event.event_id, at, body)


def _retry_after(text: str | None) -> float:
    try:
        return min(float(text or 0), 3600.0)
    except ValueError:  # a date: the usual delays are good enough
        return 0.0
