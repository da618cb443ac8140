import pytest

from penstock.core import ParameterError, SettingsError
from penstock.data.sources.sql._address import SqlAddress


@pytest.mark.parametrize(
    ("url", "scheme", "place"),
    [
        ("postgresql://ada:${PW}@db:5433/shop?sslmode=require", "postgresql", "db:5433/shop"),
        ("postgres://db/shop", "postgresql", "db/shop"),
        ("postgresql+psycopg://db/shop", "postgresql", "db/shop"),
        ("mysql+pymysql://ada@db/shop", "mysql", "db/shop"),
        ("sqlite:///shop.db", "sqlite", "shop.db"),
        ("sqlite:////data/shop.db", "sqlite", "/data/shop.db"),
        ("duckdb:///a%20b.duckdb", "duckdb", "a b.duckdb"),
    ],
)
def test_a_url_tells_kind_and_place(url, scheme, place):
    address = SqlAddress.of(url)
    assert (address.scheme, address.place) == (scheme, place)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://ada:s3cret@db/shop", "password"),
        ("snowflake://ada@account/db?token=s3cret", "token"),
        ("oracle://db/shop", "cannot read oracle"),
        ("shop.db", "without a scheme"),
        ("sqlite://", "names no file"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_a_secret(url, words):
    with pytest.raises(ParameterError) as told:
        SqlAddress.of(url)
    assert words in str(told.value)
    assert "s3cret" not in str(told.value)


def test_values_are_looked_up_for_connecting_only(monkeypatch):
    address = SqlAddress.of("postgresql://ada:${PW}@db/shop?sslmode=require")
    with pytest.raises(SettingsError, match="PW"):
        address.resolved()
    monkeypatch.setenv("PW", "p@ss/word")
    assert address.resolved({"sslmode": "off", "connect_timeout": "5"}) == (
        "postgresql://ada:p%40ss%2Fword@db/shop?sslmode=require&connect_timeout=5"
    )
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    "text", ["bad dsn p@ss/word", "x p%40ss%2Fword y", "postgresql://ada:other@db", "u:${PW}@h"]
)
def test_a_drivers_words_hold_no_secret(text, monkeypatch):
    monkeypatch.setenv("PW", "p@ss/word")
    hidden = SqlAddress.of("postgresql://ada:${PW}@db/shop").hide(text)
    assert not any(secret in hidden for secret in ("p@ss", "p%40ss", "other"))


@pytest.mark.parametrize("url", ["postgresql:///shop", "mysql:///shop", "postgresql://ada@/shop"])
def test_an_address_without_a_host_stays_one(url):
    assert SqlAddress.of(url).resolved() == url
