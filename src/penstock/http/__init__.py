"""Sockets and requests of all servers: hosts, listening, errors to status, JSON, checks of a request."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.http._forms import MOST_FORM_BYTES as MOST_FORM_BYTES
    from penstock.http._forms import read_form as read_form
    from penstock.http._guard import SECURITY_HEADERS as SECURITY_HEADERS
    from penstock.http._guard import require_bind as require_bind
    from penstock.http._guard import require_host as require_host
    from penstock.http._guard import require_json as require_json
    from penstock.http._guard import require_own_page as require_own_page
    from penstock.http._hosts import LOCAL_HOSTS as LOCAL_HOSTS
    from penstock.http._hosts import host_name as host_name
    from penstock.http._hosts import is_loopback as is_loopback
    from penstock.http._hosts import known_hosts as known_hosts
    from penstock.http._hosts import machine_addresses as machine_addresses
    from penstock.http._hosts import names_of_url as names_of_url
    from penstock.http._hosts import url_host as url_host
    from penstock.http._listen import listen as listen
    from penstock.http._messages import JSON as JSON
    from penstock.http._messages import TEXT as TEXT
    from penstock.http._messages import Call as Call
    from penstock.http._messages import HttpError as HttpError
    from penstock.http._messages import Reply as Reply
    from penstock.http._messages import encode_json as encode_json
    from penstock.http._messages import read_json as read_json
    from penstock.http._messages import render_error as render_error
    from penstock.http._messages import reply_json as reply_json
    from penstock.http._messages import retry_header as retry_header
    from penstock.http._messages import status_of as status_of
    from penstock.http._rates import RATE as RATE
    from penstock.http._rates import RateLimit as RateLimit
    from penstock.http._server import Server as Server
    from penstock.http._server import run_server as run_server
    from penstock.http._uploads import UploadRoom as UploadRoom
    from penstock.http._values import MOST_VALUES as MOST_VALUES
    from penstock.http._values import require_few_values as require_few_values

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "JSON": "_messages",
        "LOCAL_HOSTS": "_hosts",
        "MOST_VALUES": "_values",
        "MOST_FORM_BYTES": "_forms",
        "SECURITY_HEADERS": "_guard",
        "TEXT": "_messages",
        "Call": "_messages",
        "HttpError": "_messages",
        "RATE": "_rates",
        "RateLimit": "_rates",
        "Reply": "_messages",
        "Server": "_server",
        "UploadRoom": "_uploads",
        "encode_json": "_messages",
        "host_name": "_hosts",
        "is_loopback": "_hosts",
        "known_hosts": "_hosts",
        "listen": "_listen",
        "names_of_url": "_hosts",
        "machine_addresses": "_hosts",
        "read_form": "_forms",
        "read_json": "_messages",
        "render_error": "_messages",
        "reply_json": "_messages",
        "require_bind": "_guard",
        "require_few_values": "_values",
        "require_host": "_guard",
        "require_json": "_guard",
        "require_own_page": "_guard",
        "retry_header": "_messages",
        "run_server": "_server",
        "status_of": "_messages",
        "url_host": "_hosts",
    },
)
