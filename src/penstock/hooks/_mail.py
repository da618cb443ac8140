"""E-mail: an event as a mail to people, by SMTP and never in the clear.

The server is part of the hook's URL: ``smtp://user@host:587?to=ml@example.org``, or ``smtps://`` for
a server that speaks TLS from the start. The password is the hook's secret. The packages of mail are
imported by what sends one: every command that may tell of something imports this module.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from penstock.core import EventRecord, HookRecord, ParameterError, now
from penstock.hooks._attempt import Attempt
from penstock.hooks._destination import Destination, find_destination, is_allowed
from penstock.hooks._notice import Notice

if TYPE_CHECKING:
    from email.message import EmailMessage
    from smtplib import SMTP

SCHEMES = frozenset({"smtp", "smtps"})
_TIMEOUT_S = 10.0
_MOST_TITLE = 200
_TEMPORARY = range(400, 500)  # SMTP: 4yz is a refusal for now, 5yz for ever


@dataclass(frozen=True, slots=True)
class MailRoute:
    """Where mails go, read from a hook's URL.

    Args:
        to: Addresses of the recipients.
        sender: Address of the sender.
        user: User at the server; None to send without signing in.
    """

    to: tuple[str, ...]
    sender: str
    user: str | None


def read_route(url: str) -> MailRoute:
    """Read recipients, sender and user of a URL.

    >>> read_route("smtps://ci@mail.example.org?to=ml@example.org&from=penstock@example.org")
    MailRoute(to=('ml@example.org',), sender='penstock@example.org', user='ci')

    Raises:
        ParameterError: If the URL names no recipient, or an address is not legal.
    """
    parts = urlsplit(url)
    options = parse_qs(parts.query, keep_blank_values=True)
    unknown = sorted(options.keys() - {"to", "from"})
    if unknown or not options.get("to"):
        what = f"has the unknown part {unknown[0]!r}" if unknown else "names no recipient"
        raise ParameterError(
            what=f"{url!r} {what}.",
            fix="Write smtp://user@mail.example.org:587?to=ml@example.org, with &to= for each"
            " further recipient and &from= for the sender.",
            url=url,
        )
    sender = options.get("from", [f"penstock@{parts.hostname}"])[0]
    for address in (*options["to"], sender):
        _require_address(address)
    return MailRoute(
        tuple(options["to"]), sender, unquote(parts.username) if parts.username else None
    )


def send_mail(hook: HookRecord, event: EventRecord, notice: Notice) -> Attempt:
    """Try to send an event's notice; a mail that some recipients are refused has arrived."""
    import smtplib

    route = read_route(hook.url)
    try:
        place = find_destination(hook.url)
        with _connect(hook.url, place) as server:
            if route.user is not None:
                server.login(route.user, hook.secret or "")
            server.send_message(_mail(route, event, notice))
    except ParameterError as error:
        return Attempt(ok=False, error=f"{error.what} {error.fix}")
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        for_ever = not any(code in _TEMPORARY for code in codes)
        return Attempt(False, f"{place.name} takes mail for none of the recipients.", for_ever)
    except smtplib.SMTPResponseException as error:
        answer = error.smtp_error
        text = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
        # A password may be corrected, so a refused sign-in is tried again.
        refused = isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused)
        for_ever = refused and error.smtp_code not in _TEMPORARY
        return Attempt(False, f"{place.name} answered {error.smtp_code} {text}", for_ever)
    except (smtplib.SMTPException, OSError) as error:
        return Attempt(ok=False, error=f"{hook.url}: {str(error) or type(error).__name__}")
    return Attempt(ok=True)


def _connect(url: str, place: Destination) -> "SMTP":
    """Connect to the checked address; the certificate must be of the name."""
    import smtplib
    import ssl

    context = ssl.create_default_context()
    encrypted = urlsplit(url).scheme == "smtps"
    server = (
        smtplib.SMTP_SSL(timeout=_TIMEOUT_S, context=context)
        if encrypted
        else smtplib.SMTP(timeout=_TIMEOUT_S)
    )
    try:
        # smtplib checks the certificate against this; what it connects to is the address below.
        server._host = place.name  # type: ignore[attr-defined] # noqa: SLF001
        server.connect(place.address, place.port)
        server.ehlo()
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=context)
        elif not encrypted:
            _require_clear_allowed(url, place)
    except BaseException:
        server.close()
        raise
    return server


def _require_clear_allowed(url: str, place: Destination) -> None:
    if is_allowed(place.name, place.port) and not urlsplit(url).username:
        return
    raise ParameterError(
        what=f"{place.name} offers no encryption (STARTTLS).",
        why="A password and what went wrong in runs could be read on the way.",
        fix="Use smtps://, or allow the host and sign in without a password: see hook-hosts.",
    )


def _mail(route: MailRoute, event: EventRecord, notice: Notice) -> "EmailMessage":
    from email.message import EmailMessage
    from email.utils import format_datetime

    mail = EmailMessage()
    mail["Subject"] = f"penstock: {notice.title}"[:_MOST_TITLE]
    mail["From"], mail["To"] = route.sender, ", ".join(route.to)
    mail["Date"] = format_datetime(now())
    # Equal at every attempt: mail programs show a repeated mail once.
    mail["Message-ID"] = f"<{event.event_id}@penstock>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(notice.plain + f"\n\n{event.kind} at {event.at:%Y-%m-%d %H:%M:%S} UTC\n")
    return mail


def _require_address(text: str) -> None:
    from email.headerregistry import Address

    try:
        address = Address(addr_spec=text)
    except Exception as error:  # noqa: BLE001 - the parser raises what it meets
        cause: Exception | None = error
    else:
        if address.username and address.domain:
            return
        cause = None
    raise ParameterError(
        what=f"{text!r} is no mail address.", fix="Write it as ml@example.org.", address=text
    ) from cause
