"""The one place where data are refused: each reason has one wording, given before any test is run.

Libraries answer bad input with NaN, with P = 1, with an exception of their own or with a plausible number.
Here the sentence says what is wrong and which comparisons can still be made.

Notation: *samples* maps the name of each group, in the order of the study, to its values, one per
experimental unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.errors import DataError

__all__ = ["Samples", "cautions", "check", "choice", "constant", "control", "join", "level", "still"]

Samples = Mapping[str, ArrayLike]
Checked = dict[str, NDArray[np.float64]]

# What a test needs of the spread: of the groups pooled, of each group, of all values together, or nothing.
Spread = Literal["pooled", "each", "total", "none"]


def check(
    samples: Samples,
    *,
    test: str,
    minimum: int = 1,
    spread: Spread = "pooled",
    control: str | None = None,
) -> Checked:
    """Values of each group as sorted float arrays, or the refusal that says why the test cannot be made.

    Sorting makes every later sum, and so every P, independent of the order of rows to the last bit.

    Parameters
    ----------
    samples
        Values of each group, in the order of the study.
    test
        Name of the test as a sentence begins it, for the refusal.
    minimum
        Values that each group must have.
    spread
        What must vary: "pooled" (some group does, and there are degrees of freedom within groups), "each"
        group, "total" (not all values are the same), or "none".
    control
        A group that must be there.

    Raises
    ------
    DataError
        When the test cannot be made; the sentence names the groups and what can still be done.

    Examples
    --------
    >>> check({"vehicle": [2, 1], "drug": [3, 5]}, test="A t test")["vehicle"]
    array([1., 2.])
    """
    checked = {
        str(name): np.sort(np.asarray(values, dtype=float).ravel()) for name, values in samples.items()
    }
    names = list(checked)
    _refuse_not_finite(checked)
    filled = [name for name in names if checked[name].size]
    if len(filled) < 2:
        found = f"only group {filled[0]!r} has values" if filled else "no group has values"
        raise DataError(
            found,
            expected="at least two groups",
            todo="no comparison can be made until a second group has values",
        )
    if empty := [name for name in names if not checked[name].size]:
        raise DataError(
            f"{_groups(empty)} no values",
            expected="values in each group",
            todo=f"leave the empty out: {still(filled)}",
        )
    if control is not None and str(control) not in checked:
        raise DataError(f"control {control!r} is not among the groups", expected=f"one of {join(names)}")
    n = sum(values.size for values in checked.values())
    if spread in ("pooled", "each") and n <= len(names):
        raise DataError(
            "every group has a single value, so nothing shows how much units vary",
            expected="at least two units in one group",
            todo="no comparison can be made until more units are measured",
        )
    if few := [name for name in names if checked[name].size < minimum]:
        rest = [name for name in names if name not in few]
        raise DataError(
            f"{test} needs at least {minimum} values in each group, and {_groups(few)} fewer",
            expected=f"n of {minimum} or more",
            todo=f"leave {_it(few)} out, or choose a test that pools the variance: {still(rest)}",
        )
    _refuse_no_spread(checked, test=test, spread=spread)
    return checked


def _refuse_not_finite(samples: Checked) -> None:
    bad = {name: values for name, values in samples.items() if not np.isfinite(values).all()}
    if not bad:
        return
    rest = [name for name in samples if name not in bad]
    raise DataError(
        f"{_groups(list(bad))} values that are missing or infinite",
        expected="finite numbers",
        todo="mend the measurement, or leave out these values with a reason; "
        f"without {_it(list(bad))}, {still(rest)}",
    )


def _refuse_no_spread(samples: Checked, *, test: str, spread: Spread) -> None:
    if spread == "none":
        return
    everything = np.concatenate(list(samples.values()))
    if constant(everything):
        raise DataError(
            f"all {everything.size} values are {everything[0]:g}",
            expected="values that vary",
            todo="check the measurement and the column; no comparison can be made",
        )
    same = [name for name, values in samples.items() if values.size > 1 and constant(values)]
    # A group of one value has no spread to be missed, and is counted by `minimum`.
    if spread in ("pooled", "each") and not any(
        values.size > 1 and not constant(values) for values in samples.values()
    ):
        raise DataError(
            "no group varies: within each group all values are the same",
            expected="some variance within groups",
            todo="check the measurement; only ranks can be compared (omnibus='kruskal', posthoc='dunn')",
        )
    if spread == "each" and same:
        rest = [name for name in samples if name not in same]
        raise DataError(
            f"{test} weighs groups by their variance, and {_groups(same)} none: all values are the same",
            expected="some variance in each group",
            todo=f"leave {_it(same)} out, or choose a test that pools the variance: {still(rest)}",
        )


def cautions(samples: Checked, *, unit: str = "unit", ranks: bool = False) -> tuple[str, ...]:
    """What weakens the comparison without forbidding it; `ranks` when only ranks are compared."""
    said = []
    single = [name for name, values in samples.items() if values.size == 1]
    if single:
        rest = still([name for name in samples if name not in single])
        lean = f", and contrasts lean on the variance of the other groups; {rest} without that assumption"
        said.append(f"{_groups(single, start=True)} a single {unit}: no SD and no CI{'' if ranks else lean}.")
    same = [name for name, values in samples.items() if values.size > 1 and constant(values)]
    if same:
        rest = still([name for name in samples if name not in same])
        lean = f", so equal variances are hard to assume; {rest} without that assumption"
        said.append(
            f"{_groups(same, start=True)} no variance: all values are the same{'' if ranks else lean}."
        )
    return tuple(said)


def constant(values: NDArray[np.float64]) -> bool:
    """Whether values differ by no more than the rounding of a mean can make them differ.

    >>> constant(np.array([0.1, 0.1])), constant(np.array([1e12, 1e12 + 0.1]))
    (True, False)
    """
    return bool(np.ptp(values) <= 4 * np.finfo(float).eps * np.abs(values).max())


def choice(value: str, allowed: Sequence[str], *, name: str) -> str:
    """The value, if it is one of those allowed.

    Raises
    ------
    DataError
        Naming the choices.
    """
    if value not in allowed:
        raise DataError(
            f"{name} is {value!r}", expected="one of " + join([repr(a) for a in allowed], word="or")
        )
    return value


def control(
    given: str | None, names: Sequence[str], *, ordered: bool, group: str, first: str | None = None
) -> str:
    """The name of the control: the one given, else the first group if their order means something.

    `names` are the groups with values. `first` is the first in order, with or without values: when it has
    none, the next group must not take its place unseen.
    """
    if given is None:
        if not ordered:
            raise DataError(
                f"no control is named and {group!r} has no order",
                expected=f"one of {join(names, word='or')}",
                todo="name the control, or give the order of groups with the control first",
            )
        given = names[0] if first is None else first
    if str(given) not in names:
        raise DataError(
            f"the control {str(given)!r} has no values",
            expected=f"values of the control; groups with values are {join(names)}",
            todo=f"choose another control; {still(names)}",
        )
    return str(given)


def level(alpha: float) -> float:
    """The level of significance as a float between 0 and 1."""
    if not 0 < alpha < 1:
        raise DataError(f"alpha is {alpha}", expected="a number between 0 and 1, such as 0.05")
    return float(alpha)


def still(groups: Sequence[str]) -> str:
    """Which comparisons remain, as a clause.

    >>> still(["vehicle", "dose2"])
    'vehicle and dose2 can still be compared'
    """
    return f"{join(groups)} can still be compared" if len(groups) > 1 else "no other comparison is left"


def join(words: Iterable[str], *, word: str = "and") -> str:
    """Words in a row as a sentence writes them.

    >>> join(["vehicle", "dose1", "dose2"])
    'vehicle, dose1 and dose2'
    """
    *first, last = [str(w) for w in words] or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def _groups(names: Sequence[str], *, start: bool = False) -> str:
    quoted = [repr(name) for name in names]
    said = f"group {quoted[0]} has" if len(names) == 1 else f"groups {join(quoted)} have"
    return said.replace("g", "G", 1) if start else said


def _it(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
