"""Journal styles, colours of treatment groups, and figures that can be edited, read aloud and compared.

Text stays text in every vector file (TrueType in PDF, `<text>` in SVG), the same figure gives the same
bytes each time, and no figure leaves without a description in words.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit import files as _files
from labkit.errors import DataError, ResultError

__all__ = [
    "MARKERS",
    "PRESETS",
    "Preset",
    "Published",
    "figure",
    "group_colours",
    "letter",
    "publish",
    "show",
    "use",
]

MM_PER_INCH = 25.4
SCREEN_DPI = 200  # of the picture in a notebook
SCREEN_ENLARGEMENT = 1.44  # 183 mm fill a report 1000 px wide, where 6 pt can be read
CONTROL = "#8C8C8C"
# Two colours of Wong's palette (Nat Methods 2011; 8:441) and on into the dark: lightness tells the order.
_RAMP = ("#E69F00", "#D55E00", "#7B2D8B", "#1B0B4B")
WONG = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")


@dataclass(frozen=True)
class Preset:
    """What a journal asks of a figure: widths and greatest height in mm, sizes of text in points.

    `text_pt` is for axis labels and legends' titles, `small_pt` for everything smaller, `letter_pt` for
    panel letters.
    """

    name: str
    widths_mm: dict[str, float]
    max_height_mm: float
    text_pt: float
    small_pt: float
    letter_pt: float
    capitals: bool = False


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("nature", {"single": 89, "double": 183}, 170, 7, 6, 8),
        Preset("cell", {"single": 85, "middle": 114, "double": 174}, 225, 7, 6, 8, capitals=True),
        # eLife states no width; these fit its page.
        Preset("elife", {"single": 89, "double": 183}, 240, 7, 6, 8, capitals=True),
        Preset("aps", {"single": 89, "middle": 120, "double": 180}, 230, 8, 7, 10, capitals=True),
    )
}

# What decides the bytes of a saved file; needed when saving, not only when drawing.
_SAVING = {
    "font.family": ["sans-serif", "DejaVu Sans"],  # the second lends the glyphs that Arial lacks
    "font.sans-serif": ["Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"],
    "mathtext.default": "regular",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "labkit",
    "svg.image_inline": True,
    "path.simplify": True,
    "savefig.bbox": "standard",  # a trimmed figure has no longer the width that was asked for
    "savefig.facecolor": "white",
    "savefig.transparent": False,
}


def _rc(preset: Preset) -> dict[str, Any]:
    text, small = preset.text_pt, preset.small_pt
    return _SAVING | {
        "font.size": text,
        "axes.labelsize": text,
        "axes.titlesize": text,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "legend.title_fontsize": small,
        "legend.frameon": False,
        "legend.handlelength": 1.4,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.2,
        "legend.borderaxespad": 0.2,
        "axes.linewidth": 0.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "axes.labelpad": 2.5,
        "axes.unicode_minus": True,
        "axes.prop_cycle": mpl.cycler(color=WONG),
        "lines.linewidth": 0.9,
        "lines.markersize": 3,
        "patch.linewidth": 0.5,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.major.pad": 2,
        "ytick.major.pad": 2,
        "figure.facecolor": "white",
        "figure.constrained_layout.h_pad": 0.03,
        "figure.constrained_layout.w_pad": 0.03,
    }


class use:
    """Draw in a journal's style from here on, or inside a `with` block only.

    Parameters
    ----------
    preset
        ``"nature"``, ``"cell"``, ``"elife"`` or ``"aps"``.

    Examples
    --------
    >>> with use("nature") as preset:
    ...     round(mpl.rcParams["axes.labelsize"]), preset.widths_mm["double"]
    (7, 183)
    """

    def __init__(self, preset: str = "nature") -> None:
        self.preset = _preset(preset)
        wanted = _rc(self.preset)
        self._before = {name: mpl.rcParams[name] for name in wanted}
        mpl.rcParams.update(wanted)
        global _current
        self._previous, _current = _current, self.preset

    def __enter__(self) -> Preset:
        return self.preset

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _current
        _current = self._previous
        mpl.rcParams.update(self._before)


_current = PRESETS["nature"]


def _preset(name: str) -> Preset:
    if name not in PRESETS:
        raise DataError(f"there is no figure style {name!r}", expected=f"one of {', '.join(PRESETS)}")
    return PRESETS[name]


def figure(width: str | float = "double", height_mm: float = 60.0) -> Figure:
    """Make an empty figure in the measures of the style in use; it lays itself out so that no label is cut.

    Parameters
    ----------
    width
        ``"single"``, ``"double"`` (in some styles ``"middle"``) or a number of mm.
    height_mm
        Height in mm.

    Raises
    ------
    DataError
        If the journal has no such width or the figure is higher than its page.

    Examples
    --------
    >>> fig = figure("single", 50)
    >>> (fig.get_size_inches() * MM_PER_INCH).round(6).tolist()
    [89.0, 50.0]
    """
    if isinstance(width, str) and width not in _current.widths_mm:
        known = ", ".join(f"{name} ({mm:g} mm)" for name, mm in _current.widths_mm.items())
        raise DataError(
            f"{_current.name} has no figure width {width!r}", expected=f"{known} or a number of mm"
        )
    if not 0 < height_mm <= _current.max_height_mm:
        raise DataError(
            f"the figure would be {height_mm:g} mm high",
            expected=f"at most {_current.max_height_mm:g} mm, as {_current.name} prints",
        )
    mm = _current.widths_mm[width] if isinstance(width, str) else float(width)
    return Figure(figsize=(mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout="constrained")


def group_colours(groups: Sequence[str], *, graded: bool = True) -> dict[str, str]:
    """One fixed colour for each treatment group, the first being the control.

    Parameters
    ----------
    groups
        Names in the order of the study: control first, then rising doses.
    graded
        Doses of one drug, told apart by lightness (grey control, then from light to dark). False for
        unrelated treatments, which get the colours of Wong's palette.

    Examples
    --------
    >>> list(group_colours(["vehicle", "10 mg/kg"]).values())
    ['#8C8C8C', '#D55E00']
    """
    names = list(dict.fromkeys(map(str, groups)))
    treated = len(names) - 1
    if not graded:
        colours = [WONG[i % len(WONG)] for i in range(treated)]
    elif treated == 1:
        colours = [_RAMP[1]]
    else:
        stops = np.array([mpl.colors.to_rgb(colour) for colour in _RAMP])
        at = np.linspace(0, 2 if treated <= 3 else 3, treated)  # few doses need not go down to black
        channels = [np.interp(at, np.arange(len(_RAMP)), stops[:, channel]) for channel in range(3)]
        colours = [mpl.colors.to_hex(rgb).upper() for rgb in zip(*channels, strict=True)]
    return dict(zip(names, [CONTROL, *colours], strict=True))


def letter(ax: Axes, text: str) -> None:
    """Put a bold letter at the upper left corner of a panel and its legend, in the journal's case."""
    text = text.upper() if _current.capitals else text.lower()
    mark = ax.figure.text(0, 1, text, fontsize=_current.letter_pt, fontweight="bold", ha="left", va="top")
    mark.set_in_layout(False)
    mark.set_gid(f"{_LETTER}{ax.figure.axes.index(ax)}")


_LETTER = "panel-letter-"


def _settle(fig: Figure) -> None:
    """Do what needs the layout: break labels longer than their axis, place panel letters."""
    if fig.get_layout_engine() is None:
        return  # its margins are fixed
    fig.draw_without_rendering()
    for ax in fig.axes:
        label = ax.yaxis.label
        if label.get_window_extent().height > 1.05 * ax.get_window_extent().height:
            label.set_text(label.get_text().replace(" (", "\n("))
    letters = [text for text in fig.texts if (text.get_gid() or "").startswith(_LETTER)]
    if letters:
        fig.draw_without_rendering()
    for text in letters:
        panel = fig.axes[int(text.get_gid().removeprefix(_LETTER))]
        box = panel.get_tightbbox().transformed(fig.transFigure.inverted())
        text.set_position((box.x0, box.y1))


@dataclass(frozen=True)
class Published:
    """A finished figure: shows as a picture with its description, and names the files it was saved in."""

    alt: str
    files: tuple[Path, ...]
    width_px: int
    png: bytes = field(repr=False)

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, str], dict[str, dict[str, object]]]:
        data = {"text/plain": repr(self), "image/png": base64.b64encode(self.png).decode("ascii")}
        return data, {"image/png": {"alt": self.alt, "width": self.width_px}}


def publish(fig: Figure, path: Path | str, alt: str, *, dpi: int = 600) -> Published:
    """Save a figure as SVG, PDF and PNG, close it, and give it back for display with its alternative text.

    Parameters
    ----------
    fig
        The figure; it cannot be changed afterwards.
    path
        Where to save, without suffix; the folder is made as needed.
    alt
        What the figure shows, in one or two sentences, for readers who do not see it.
    dpi
        Resolution of the PNG file, at least 300.

    Raises
    ------
    DataError
        If the description is missing or the resolution too low for print.
    ResultError
        If a file cannot be written; an earlier file of that name then stays as it was.
    """
    alt = _described(alt)
    if dpi < 300:
        raise DataError(f"{dpi} dpi was asked for", expected="at least 300, as journals ask")
    with mpl.rc_context(_SAVING):
        _settle(fig)
    path = Path(path)
    if path.suffix.lower() in (".svg", ".pdf", ".png"):
        path = path.with_suffix("")
    described = {"Title": path.name, "Description": alt}
    saved = {
        ".svg": _bytes(fig, "svg", {"Date": None, **described}),
        ".pdf": _bytes(fig, "pdf", {"CreationDate": None, "Title": path.name, "Subject": alt}),
        ".png": _bytes(fig, "png", {"Software": None, **described}, dpi=dpi),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = [
            _files.write_bytes_whole(path.with_name(path.name + end), data) for end, data in saved.items()
        ]
    except OSError as error:
        raise ResultError(
            f"the figure could not be written ({error.strerror or error})",
            where=path,
            todo="make room or make the folder writable, then run the cell again",
        ) from error
    return _shown(fig, alt, tuple(written))


def show(fig: Figure, alt: str) -> Published:
    """Give a figure back for display with its alternative text, without saving it; the figure is closed."""
    alt = _described(alt)
    with mpl.rc_context(_SAVING):
        _settle(fig)
    return _shown(fig, alt, ())


def _described(alt: str) -> str:
    alt = " ".join(alt.split())
    if not alt:
        raise DataError(
            "the figure has no description",
            expected="one or two sentences",
            todo="say what it shows in alt=...",
        )
    return alt


def _shown(fig: Figure, alt: str, written: tuple[Path, ...]) -> Published:
    png = _bytes(fig, "png", {"Software": None}, dpi=SCREEN_DPI)
    width_px = round(fig.get_size_inches()[0] * 96 * SCREEN_ENLARGEMENT)
    if "matplotlib.pyplot" in sys.modules:  # else it cannot be known to pyplot
        sys.modules["matplotlib.pyplot"].close(fig)
    return Published(alt=alt, files=written, width_px=width_px, png=png)


def _bytes(fig: Figure, form: str, metadata: dict[str, str | None], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(_SAVING):
        fig.savefig(buffer, format=form, metadata=metadata, **options)
    return buffer.getvalue()
