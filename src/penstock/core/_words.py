"""Words of messages: the article that a name takes."""

_LIKE_CONSONANTS = ("uni", "use", "usu", "uti", "uui", "uint", "utc", "utf", "eu", "one", "once")
_SILENT = ("hour", "honest", "honour", "heir")


def with_article(word: str, *, begins: bool = False) -> str:
    """Return a word with the article.

    >>> with_article("int"), with_article("'amount'"), with_article("UInt64")
    ('an int', "an 'amount'", 'a UInt64')
    >>> with_article("object", begins=True)
    'An object'

    Args:
        word: The word, maybe in quotes.
        begins: Whether a sentence begins with the word.
    """
    plain = word.lstrip("'\"`([{").lower()
    has_vowel = plain[:1] in set("aeiou") and not plain.startswith(_LIKE_CONSONANTS)
    article = "an" if has_vowel or plain.startswith(_SILENT) else "a"
    return f"{article.capitalize() if begins else article} {word}"
