"""Numbers as cells show them: three digits, a true minus, and an interval that stays on its line."""

from __future__ import annotations

import math

from labkit.columns import COLUMNS, axis_label

__all__ = ["decimals", "fixed", "fold", "interval", "number", "p", "pair", "title"]


def decimals(x: float) -> int:
    """Decimals that show three significant digits of x."""
    return max(0, 2 - math.floor(math.log10(abs(x)))) if x and math.isfinite(x) else 2


def number(x: float, like: float | None = None) -> str:
    """Text of x to the decimals at which `like` (by default x) has three digits."""
    return fixed(x, decimals(x if like is None else like))


def fixed(x: float, decimals: int) -> str:
    """Text of x with a true minus, none before zero; '' for NaN.

    >>> fixed(-1.26, 1), fixed(-0.04, 1)
    ('−1.3', '0.0')
    """
    return "" if math.isnan(x) else f"{round(x, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def pair(mean: float, sd: float) -> str:
    """Mean ± SD, both to the decimals of three digits of the mean.

    >>> pair(151.234, 12.345), pair(0.31299, 0.0456)
    ('151 ± 12', '0.313 ± 0.046')
    """
    return f"{number(mean)} ± {number(sd, mean) or 'unknown'}"


def fold(ratio: float, spread: float) -> str:
    """Geometric mean as a fold, ×/÷ geometric SD.

    >>> fold(1.4234, 1.1832), fold(1.0, float("nan"))
    ('1.42 ×/÷ 1.18', '1.00 ×/÷ unknown')
    """
    return f"{number(ratio)} ×/÷ {number(spread) or 'unknown'}"


def interval(low: float, high: float, like: float) -> str:
    """An interval in brackets to follow its number, '' when there is none; it stays on one line."""
    return "" if math.isnan(low) else f" ({number(low, like)} to {number(high, like)})".replace(" ", "\u00a0")


def p(p: float) -> str:
    """P to three digits, as a table gives it.

    >>> p(0.0123456), p(3.2e-6), p(0.9996), p(float("nan"))
    ('0.0123', '3.2e-06', '> 0.999', 'not known')
    """
    if math.isnan(p):
        return "not known"
    return "> 0.999" if p > 0.999 else (f"{p:.1e}" if p < 1e-4 else f"{p:.3g}")


def title(name: str) -> str:
    """An endpoint by the label of its column with unit; a column that the lab adds by its name."""
    return axis_label(name) if name in COLUMNS else name
