"""Whole figures of a study, assembled from panels at journal width; each with its alternative text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from labkit.columns import axis_label
from labkit.errors import DataError
from labkit.figures.panels import dose_superplot, fold_plot, time_course
from labkit.figures.style import figure, letter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from labkit.stats import Comparison

__all__ = ["blots_figure", "ltp_figure", "spines_figure"]

_HEIGHT_MM = 68
_LETTERS = "abcdefgh"


def ltp_figure(
    course: pd.DataFrame,
    slices: pd.DataFrame,
    comparison: Comparison,
    *,
    labels: Mapping[str, str] | None = None,
    post_min: tuple[float, float] | None = None,
) -> tuple[Figure, str]:
    """Time course of the fEPSP slope by group beside potentiation by dose.

    Parameters
    ----------
    course
        One row per response, as `time_course` draws it.
    slices
        One row per slice that counts, with the value compared.
    comparison
        Of potentiation.
    labels, post_min
        Names of groups, and the minutes compared, which are shaded.

    Returns
    -------
    figure, alt
        The figure at the width of two columns of the style in use, and what it shows in words.
    """
    fig = figure("double", _HEIGHT_MM)
    left, right = fig.subplots(1, 2, width_ratios=[3, 2])
    time_course(left, course, labels=labels, post_min=post_min)
    dose_superplot(right, comparison.units, slices, comparison, labels=labels)
    letter(left, "a")
    letter(right, "b")
    return fig, f"LTP by group. a, fEPSP slope over time. b, Potentiation. {comparison.summary()}"


def blots_figure(
    comparisons: Mapping[str, Comparison | DataError],
    *,
    titles: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[Figure, str]:
    """Each protein as fold of the control, by group, one panel each; endpoints not compared are left out.

    Returns
    -------
    figure, alt
        The figure at the width of two columns of the style in use, and what it shows in words.

    Raises
    ------
    DataError
        If no endpoint was compared as a ratio.
    """
    made = {
        name: one
        for name, one in comparisons.items()
        if not isinstance(one, DataError) and one.scale != "linear"
    }
    if not made:
        raise DataError("no protein was compared", expected="one comparison of log ratios or more")
    fig = figure("double", _HEIGHT_MM)
    axes = fig.subplots(1, len(made), squeeze=False)[0]
    said = []
    for ax, mark, (name, comparison) in zip(axes, _LETTERS, made.items(), strict=False):
        title = (titles or {}).get(name, name)
        fold_plot(ax, comparison, title=title, labels=labels)
        if len(made) > 1:
            letter(ax, mark)
        said.append(f"{mark}, {title}. {comparison.summary()}")
    return fig, "Proteins as fold of the control, by group. " + " ".join(said)


def spines_figure(
    comparisons: Mapping[str, Comparison | DataError],
    dendrites: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
) -> tuple[Figure, str]:
    """Spines per 10 µm by group, in all and by class, one panel each; endpoints not compared are left out.

    Parameters
    ----------
    comparisons
        Of the densities, by column.
    dendrites
        One row per dendrite that counts, with the columns compared.
    labels
        Names of groups.

    Returns
    -------
    figure, alt
        The figure at the width of two columns of the style in use, and what it shows in words.

    Raises
    ------
    DataError
        If no density was compared.
    """
    made = {name: one for name, one in comparisons.items() if not isinstance(one, DataError)}
    if not made:
        raise DataError("no density of spines was compared", expected="one comparison or more")
    fig = figure("double", _HEIGHT_MM)
    said = []
    axes = fig.subplots(1, len(made), squeeze=False)[0]
    for ax, mark, (name, comparison) in zip(axes, _LETTERS, made.items(), strict=False):
        dose_superplot(ax, comparison.units, dendrites, comparison, subunit="dendrite", labels=labels)
        if len(made) > 3:  # narrow panels have no room for the line in one piece
            ax.set_xlabel(ax.get_xlabel().replace("; ", ";\n"))
        if len(made) > 1:
            letter(ax, mark)
        said.append(f"{mark}, {axis_label(name)}. {comparison.summary()}")
    return fig, "Dendritic spines by group. " + " ".join(said)
