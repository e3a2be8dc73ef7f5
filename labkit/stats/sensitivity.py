"""The same question asked in other ways: by another test, of other rows. What cannot be answered says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.errors import DataError
from labkit.stats.compare import Comparison, compare

__all__ = ["sensitivity"]


def sensitivity(
    variants: Mapping[str, Mapping[str, Any]], value: str, **options: Any
) -> dict[str, Comparison | DataError]:
    """Compare a value under each of several variants of an analysis.

    Parameters
    ----------
    variants
        By name, what is different: ``table`` (always), and any argument of `compare`.
    value
        Column compared.
    options
        Arguments of `compare` that all variants share unless they say otherwise.

    Returns
    -------
    dict
        The `Comparison` of each variant, or the `DataError` that says why it cannot be made: a variant that
        fails must not take the planned analysis with it.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"animal": list("abcdef"), "group": ["vehicle"] * 3 + ["drug"] * 3})
    >>> table["ltp"] = [1, 2, 3, 4, 5, 6]
    >>> ranks = {"table": table, "omnibus": "kruskal", "posthoc": "dunn"}
    >>> variants = {"by ranks": ranks, "of none": {"table": table[:0]}}
    >>> found = sensitivity(variants, "ltp", group="group", order=["vehicle", "drug"])
    >>> print(found["by ranks"].omnibus.test, "|", type(found["of none"]).__name__)
    Kruskal-Wallis test | DataError
    """
    found: dict[str, Comparison | DataError] = {}
    for name, different in variants.items():
        arguments = {**options, **different}
        try:
            found[name] = compare(arguments.pop("table"), value, **arguments)
        except DataError as problem:
            found[name] = problem
    return found
