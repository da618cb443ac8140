"""Addresses of databases: kind, host and name from a URL, and texts without its secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from penstock.core import ParameterError, did_you_mean
from penstock.data.sources._references import hide_references, require_no_secrets, resolve_url

_SCHEMES = {"postgres": "postgresql"}


@dataclass(frozen=True, slots=True)
class SqlKind:
    """A kind of database.

    Args:
        title: Name for people.
        module: The driver that reads it; empty if Python has it.
        install: Words for pip that install the driver.
        driver: Name of dialect and driver in SQLAlchemy.
        is_file: Whether the URL names a file.
    """

    title: str
    module: str
    install: str
    driver: str
    is_file: bool = False


KINDS = {
    "postgresql": SqlKind("PostgreSQL", "adbc_driver_postgresql", "penstock[sql]", "postgresql"),
    "sqlite": SqlKind("SQLite", "", "", "sqlite", is_file=True),
    "duckdb": SqlKind("DuckDB", "duckdb", "penstock[duckdb]", "duckdb", is_file=True),
    "mysql": SqlKind("MySQL", "pymysql", "pymysql", "mysql+pymysql"),
    "mariadb": SqlKind("MariaDB", "pymysql", "pymysql", "mariadb+pymysql"),
    "mssql": SqlKind("SQL Server", "pyodbc", "pyodbc", "mssql+pyodbc"),
    "snowflake": SqlKind("Snowflake", "snowflake.sqlalchemy", "snowflake-sqlalchemy", "snowflake"),
    "bigquery": SqlKind("BigQuery", "sqlalchemy_bigquery", "sqlalchemy-bigquery", "bigquery"),
}


def is_database(url: str) -> bool:
    """Return whether a URL's scheme is that of a database.

    >>> is_database("postgres://db/shop"), is_database("s3://bucket/rides")
    (True, False)
    """
    scheme = url.partition(":")[0].partition("+")[0].lower()
    return _SCHEMES.get(scheme, scheme) in KINDS


@dataclass(frozen=True, slots=True)
class SqlAddress:
    """The address of a database, with references in the place of secrets.

    >>> address = SqlAddress.of("postgres://ada:${PG_PASSWORD}@db:5433/shop")
    >>> address.scheme, address.host, address.database
    ('postgresql', 'db:5433', 'shop')

    Args:
        url: The URL as written, with the scheme's usual name and no driver.
        scheme: Kind of database; see KINDS.
        host: Host and port; empty for a file.
        database: Name of the database; the path of a file.
    """

    url: str
    scheme: str
    host: str
    database: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL.

        Raises:
            ParameterError: If the kind is not known, or a secret is written out.
        """
        require_no_secrets("SqlSource", url)
        parts = urlsplit(url)
        scheme = parts.scheme.split("+")[0]
        scheme = _SCHEMES.get(scheme, scheme)
        if scheme not in KINDS:
            raise ParameterError(
                what=f"SqlSource cannot read {parts.scheme or 'a database without a scheme'}://.",
                fix=did_you_mean(scheme, KINDS),
            )
        path = unquote(parts.path)[1:]
        if KINDS[scheme].is_file and not path:
            raise ParameterError(
                what=f"The URL {scheme}:// names no file.",
                fix=f"Write {scheme}:///shop.db, or {scheme}:////data/shop.db for /data/shop.db.",
            )
        plain = f"{scheme}://{parts.netloc}{parts.path}" + (
            f"?{parts.query}" if parts.query else ""
        )
        return cls(plain, scheme, parts.netloc.rpartition("@")[2], path)

    @property
    def kind(self) -> SqlKind:
        """The kind of database."""
        return KINDS[self.scheme]

    def resolved(self, defaults: Mapping[str, str] | None = None) -> str:
        """Return the URL with the values of its references, for connecting only.

        Args:
            defaults: Options that apply where the URL does not set them.

        Raises:
            SettingsError: If a variable is not set.
        """
        parts = urlsplit(resolve_url(self.url))
        options = {**(defaults or {}), **dict(parse_qsl(parts.query))}
        query = urlencode(options, quote_via=quote)
        # urlunsplit leaves out the slashes of an address without a host, as a socket's.
        return f"{self.scheme}://{parts.netloc}{parts.path}" + (f"?{query}" if query else "")

    def hide(self, text: str) -> str:
        """Return a text, such as a driver's message, with references in the place of values."""
        text = hide_references(text, self.url)
        # A driver may show an address with a password from a file or from a variable of its own.
        return re.sub(r"(://[^\s:/@]*):(?!\$\{)[^\s@/]+@", r"\1:…@", text)

    @property
    def place(self) -> str:
        """The database for people: without user and options."""
        return self.database if self.kind.is_file else f"{self.host}/{self.database}".strip("/")
