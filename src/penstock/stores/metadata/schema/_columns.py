"""Columns of all tables, the same in every database."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Text,
)

metadata = MetaData()
# Text is ordered by its bytes, as in SQLite, whatever language the database speaks.
ByteText = Text().with_variant(Text(collation="C"), "postgresql")
_AutoId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts only INTEGER keys


def id_column() -> Column[int]:
    """Return a number that the database assigns."""
    return Column("id", _AutoId, primary_key=True, autoincrement=True)


def text_column(name: str, *, null: bool = False) -> Column[str]:
    """Return a column of texts."""
    return Column(name, ByteText, nullable=null)


def integer_column(name: str, *, null: bool = False) -> Column[int]:
    """Return a column of whole numbers."""
    return Column(name, BigInteger, nullable=null)


def number_column(name: str, *, null: bool = False) -> Column[float]:
    """Return a column of floats."""
    return Column(name, Float(53), nullable=null)


def start_column() -> Column[str]:
    """Return a column with the beginning of a text, for an index."""
    # The beginning of a text is enough for an index, and PostgreSQL refuses long entries.
    return Column("start", ByteText, nullable=False, server_default="")


def bytes_column(name: str) -> Column[bytes]:
    """Return a column of bytes."""
    return Column(name, LargeBinary, nullable=False)


def flag_column(name: str) -> Column[bool]:
    """Return a column that is true or false."""
    return Column(name, Boolean, nullable=False)


def key_column(name: str) -> Column[str]:
    """Return a text that is part of the primary key."""
    return Column(name, ByteText, primary_key=True)


def run_column(*, key: bool = False, null: bool = False) -> Column[str]:
    """Return a reference to a run; rows go with the run."""
    target = ForeignKey("runs.run_id", ondelete="CASCADE")
    return Column("run_id", ByteText, target, primary_key=key, nullable=null and not key)
