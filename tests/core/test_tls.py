"""``tls_context``: read once, from where the environment says, and trusting nobody where none is needed."""

import ssl

import httpx
from tests.hooks.conftest import certificate

from penstock.core import tls_context


def test_it_trusts_whom_httpx_trusts_and_checks_names():
    context = tls_context()
    assert context.get_ca_certs() == httpx.create_ssl_context().get_ca_certs() != []
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_certificates_of_the_environment_count_also_when_they_are_named_later(
    tmp_path, monkeypatch
):
    many = tls_context()
    certificate(tmp_path / "own.pem", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    assert len(tls_context().get_ca_certs()) == 1
    assert tls_context() is tls_context()
    monkeypatch.undo()
    assert tls_context() is many


def test_where_no_tls_is_spoken_nobody_is_trusted():
    context = tls_context("http://127.0.0.1:8080")
    assert context.get_ca_certs() == []
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
