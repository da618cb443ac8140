"""``tls_context``: what a client of HTTP needs for TLS, read once in a process."""

import os
import ssl
from functools import cache


def tls_context(url: str = "https://") -> ssl.SSLContext:
    """Return the TLS settings of a client, with the certificates that httpx trusts.

    To read them is slow, and each client of httpx would read them anew, even one that speaks no
    TLS at all. The certificates of SSL_CERT_FILE or SSL_CERT_DIR count.

    >>> tls_context("https://a.example.org") is tls_context("https://b.example.org")
    True
    >>> tls_context("http://a.example.org").get_ca_certs()
    []

    Args:
        url: Where the client connects to, if it connects to nothing else; for a URL without TLS
            the settings trust nobody.
    """
    if url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _read(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context(trust_env=True)
