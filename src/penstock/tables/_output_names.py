"""plain_name: names of a model's columns that boosters take, apart because two layers make them."""

# LightGBM refuses the characters of JSON and takes a name of two lines for two; XGBoost refuses
# brackets and "<".
_PLAIN = str.maketrans(
    {"[": "(", "{": "(", "]": ")", "}": ")", "<": "lt ", '"': "'", ":": ".", ",": ";",
     "\n": " ", "\r": " "}
)  # fmt: skip


def plain_name(name: str) -> str:
    """Return a column's name without the characters that LightGBM and XGBoost refuse.

    >>> plain_name('price, kEUR [net]: "low" <50')
    "price; kEUR (net). 'low' lt 50"
    """
    return name.translate(_PLAIN)
