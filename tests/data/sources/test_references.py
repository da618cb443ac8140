"""Secrets stand in variables: never in a source's own words, nor in the message about them."""

import pytest

from penstock.core import ParameterError, SettingsError
from penstock.data.sources._references import require_no_secrets, resolve_options, resolve_url

CANARY = "c4n4ry-s3cret"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (f"postgresql://ada:{CANARY}@db/shop", {}),
        (f"postgresql://db/shop?password={CANARY}", {}),
        (f"s3://bucket/a.csv?X-Amz-Signature={CANARY}", {}),
        (f"https://host/a.csv?token={CANARY}", {}),
        (f"https://host/a.csv#token={CANARY}", {}),
        (f"https://{CANARY}@host/a.csv", {}),
        ("kafka://broker", {"sasl.password": CANARY}),
        (f"postgresql://db/shop?sslpassword={CANARY}", {}),
        ("abfs://container", {"account_key": CANARY}),
        ("postgresql://ada:${PG}" + CANARY + "@db/shop", {}),
    ],
)
def test_a_secret_that_is_written_out_is_refused_without_showing_it(url, options):
    with pytest.raises(ParameterError) as raised:
        require_no_secrets("Source", url, options)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("postgresql://ada@db:5432/shop?sslmode=require", {}),
        ("postgresql://ada:${PG}@db/shop", {"group.id": "g"}),
        ("kafka://broker:9092", {"sasl.password": "${KAFKA}", "sasl.username": "ada"}),
        ("/data/rides.csv", {}),
        ("https://${TOKEN}@host/a.csv?day=1#top", {}),
    ],
)
def test_references_and_plain_options_are_taken(url, options):
    assert require_no_secrets("Source", url, options) is None  # type: ignore[func-returns-value]


def test_a_reference_is_looked_up_when_it_is_used_and_quoted_in_a_url(monkeypatch):
    monkeypatch.setenv("PG", "p@ss/w:rd")
    assert (
        resolve_url("postgresql://ada:${PG}@db/shop") == "postgresql://ada:p%40ss%2Fw%3Ard@db/shop"
    )
    assert resolve_options({"sasl.password": "${PG}"}) == {"sasl.password": "p@ss/w:rd"}
    monkeypatch.delenv("PG")
    with pytest.raises(SettingsError, match="variable PG is not set"):
        resolve_url("postgresql://ada:${PG}@db/shop")
