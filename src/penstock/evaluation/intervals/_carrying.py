"""How many rows carry a variance or a sum; intervals are wider where few rows do."""

from penstock.evaluation._bootstrap import LEVEL
from penstock.evaluation.intervals._ends import Floats, Z


def count_carrying(moves: Floats) -> float:
    """Return the effective number of rows that carry a variance: all rows if moves are equal.

    Args:
        moves: How much each row moves the figure, shape (n,).
    """
    return weighty(moves**2)


def student(moves: Floats) -> float:
    """Return the distance of the ends in standard errors, as the variance itself is uncertain.

    >>> import numpy as np
    >>> round(student(np.ones(1000)), 2), round(student(np.array([0.0, 1.0, -1.0])), 2)
    (1.96, 2.78)

    Args:
        moves: How much each row moves the figure, shape (n,).
    """
    from scipy.special import stdtrit

    carrying = count_carrying(moves)
    return float(stdtrit(2 * carrying, (1 + LEVEL) / 2)) if carrying > 0 else Z


def weighty(values: Floats) -> float:
    """Return the effective number of rows that carry a sum: all if equal, 1 if alone."""
    square = float(values @ values)
    return float(values.sum()) ** 2 / square if square > 0 else 0.0
