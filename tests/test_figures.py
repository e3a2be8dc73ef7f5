"""Figures: measures, fonts and bytes of what is saved; numbers and words of what is drawn."""

from __future__ import annotations

import re
import zlib
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from labkit import figures
from labkit.columns import axis_label
from labkit.errors import DataError, ResultError
from labkit.figures import courses, marks

ALT = 'Slope rises with "dose" & time <b>.'
DOSES = [
    "vehicle (0.9 % saline)",
    *(f"levomilnacipran {dose:g} mg/kg" for dose in (1, 3, 10, 20, 30, 40, 60)),
]


def study(groups=3, animals=4, seed=1):
    """Responses and end points of made-up slices: one animal in two has a second slice."""
    rng = np.random.default_rng(seed)
    time = np.arange(-20, 60, 1.0) + 0.25
    names, responses, ends = DOSES[:groups], [], []
    for g, name in enumerate(names):
        for a in range(animals):
            for s in range(1 + a % 2):
                value = 100 + (time > 0) * (20 + 8 * g) + rng.normal(0, 5, time.size)
                who = {"group": name, "animal": f"{g}-{a}", "recording": f"{g}-{a}-{s}"}
                responses.append(pd.DataFrame({**who, "time_min": time, "percent_of_baseline": value}))
                ends.append({**who, "slice": s, "potentiation_percent": value[time > 50].mean()})
    table, slices = pd.concat(responses, ignore_index=True), pd.DataFrame(ends)
    for frame in (table, slices):
        frame["group"] = pd.Categorical(frame["group"], names)
    animal = slices.groupby(["group", "animal"], observed=True)["potentiation_percent"].mean().reset_index()
    p = [0.4123, 0.0312, 0.00002, 0.9999, 0.0021, 0.05, 0.2]
    posthoc = pd.DataFrame({"group": names[1:], "reference": names[0], "p_adjusted": p[: groups - 1]})
    comparison = SimpleNamespace(
        posthoc=posthoc, control=names[0], value="potentiation_percent", units=animal,
        groups=pd.DataFrame(index=names),
    )  # fmt: skip
    return SimpleNamespace(names=names, table=table, slices=slices, animals=animal, comparison=comparison)


def two_panels(data, width="double", height_mm=70):
    fig = figures.figure(width, height_mm)
    left, right = fig.subplots(1, 2, width_ratios=(1.5, 1))
    figures.time_course(left, data.table, baseline_min=(-10, 0), post_min=(50, 60))
    figures.dose_superplot(right, data.animals, data.slices, data.comparison)
    figures.letter(left, "a")
    figures.letter(right, "b")
    return fig


def drawn(fig):
    """Texts that are drawn: labels of ticks beyond the ends of an axis are not."""
    beyond = {
        id(text)
        for ax in fig.axes
        for axis, (low, high) in ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim())))
        for tick in axis.get_major_ticks()
        if not low <= tick.get_loc() <= high
        for text in (tick.label1, tick.label2)
    }
    every = fig.findobj(mpl.text.Text)
    return [t for t in every if t.get_visible() and t.get_text().strip() and id(t) not in beyond]


def words(fig):
    return [text.get_text() for text in drawn(fig)]


def said(fig):
    return " | ".join(" ".join(text.split()) for text in words(fig))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """One figure published twice from the same numbers."""
    made = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("figures")
        with figures.use("nature"):
            made.append(figures.publish(two_panels(study()), folder / "fig1", ALT, dpi=300))
    return made


def test_same_numbers_give_the_same_bytes(published):
    first, second = published
    assert [path.name for path in first.files] == ["fig1.svg", "fig1.pdf", "fig1.png"]
    for one, other in zip(first.files, second.files, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.suffix
    assert first.png == second.png


def test_pdf_holds_truetype_of_the_journal_width(published):
    pdf = published[0].files[1].read_bytes()
    streams = b"".join(_inflated(pdf))
    assert b"/Type3" not in pdf + streams
    assert b"/CIDFontType2" in pdf + streams  # TrueType, embedded and editable
    box = re.search(rb"/MediaBox \[\s*([\d. ]+)\]", pdf)
    points = [float(part) for part in box.group(1).split()]
    # a point is 25.4 / 72 mm; matplotlib writes the box with at least two decimals
    np.testing.assert_allclose(np.array(points[2:]) * 25.4 / 72, [183, 70], atol=0.02)


def _inflated(pdf):
    for found in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            yield zlib.decompress(found.group(1))
        except zlib.error:
            yield b""


def test_svg_keeps_text_as_text_and_carries_the_description(published):
    svg = published[0].files[0].read_text(encoding="utf-8")
    assert "fEPSP slope (% of baseline)" in svg
    assert "Slope rises with" in svg
    assert "Arial" in svg
    assert "<dc:date>" not in svg


def test_png_is_for_print_and_the_picture_for_the_screen(published):
    import io

    from PIL import Image

    with Image.open(published[0].files[2]) as image:
        assert image.width == pytest.approx(183 / 25.4 * 300, abs=1)  # whole pixels
    with Image.open(io.BytesIO(published[0].png)) as image:
        # twice the pixels of the report's column would be wasted; fewer than it has would blur
        assert 1.3 * published[0].width_px < image.width < 2 * published[0].width_px


def test_picture_brings_its_description_to_notebook_and_report(published):
    data, metadata = published[0]._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == 'Slope rises with "dose" & time <b>.'
    assert data["text/plain"] == 'Figure: Slope rises with "dose" & time <b>.'
    assert data["image/png"].startswith("iVBOR")


def test_no_figure_without_description_and_nothing_half_written(tmp_path):
    with pytest.raises(DataError, match="no description"):
        figures.publish(Figure(), tmp_path / "f", "  ")
    with pytest.raises(DataError, match="at least 300"):
        figures.publish(Figure(), tmp_path / "f", "x", dpi=72)
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="could not be written"):
        figures.publish(Figure(figsize=(1, 1)), tmp_path / "file" / "f", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("groups", "animals"), [(2, 3), (3, 40), (8, 12)])
def test_every_label_is_inside_the_figure(groups, animals):
    data = study(groups, animals)
    with figures.use("nature"):
        fig = two_panels(data, height_mm=100)
        figures.show(fig, "x")
        fig.set_dpi(200)
        fig.draw_without_rendering()
        frame = fig.bbox
        for text in drawn(fig):
            box = text.get_window_extent()
            # a pixel of 0.127 mm for the side bearing of a letter
            assert box.x0 >= frame.x0 - 1, text
            assert box.x1 <= frame.x1 + 1, text
            assert box.y0 >= frame.y0 - 1, text
            assert box.y1 <= frame.y1 + 1, text
        smallest = min(text.get_fontsize() for text in drawn(fig))
    assert smallest >= 5  # the least that Nature prints
    joined = [re.sub(r"\s", "", text) for text in words(fig)]
    for name in data.names:
        assert sum(re.sub(r"\s", "", name) in text for text in joined) == 2, name  # once in each panel


def test_time_course_says_what_n_and_band_are():
    with figures.use("nature"):
        fig = figures.figure("single", 60)
        figures.time_course(fig.subplots(), study().table, error="sem", baseline_min=(-10, 0))
    text = said(fig)
    assert "mean ± SEM; n = animals (slices)" in text
    assert "vehicle (0.9 % saline), n = 4 (6)" in text
    assert "Time from induction (min)" in text
    assert "HFS" in text
    assert "baseline" in text


def test_superplot_gives_exact_p_and_n():
    with figures.use("nature"):
        fig = figures.figure("double", 70)
        data = study()
        figures.dose_superplot(fig.subplots(), data.animals, data.slices, data.comparison)
    text = said(fig)
    assert "P = 0.41" in text
    assert "P = 0.031" in text
    assert "n = 4 (6)" in text
    assert axis_label("potentiation_percent") in text
    assert "bars: mean, 95% CI; n = animals (slices)" in text


def test_many_comparisons_stand_in_one_row():
    with figures.use("nature"):
        fig = figures.figure("double", 90)
        data = study(8)
        figures.dose_superplot(fig.subplots(), data.animals, None, data.comparison)
    text = said(fig)
    assert "P v control" in text
    assert "<0.0001" in text
    assert ">0.99" in text


def test_superplot_takes_a_comparison_as_it_is_made():
    from labkit import stats

    slices = study().slices.astype({"group": str})
    comparison = stats.compare(slices, "potentiation_percent", group="group", control=DOSES[0])
    with figures.use("nature"):
        fig = figures.figure("double", 70)
        figures.dose_superplot(fig.subplots(), None, slices, comparison)
    expected = comparison.posthoc["p_adjusted"]
    assert all(f"P {marks.p_text(p)}" in said(fig) for p in expected)
    assert "n = 4 (6)" in said(fig)


def test_superplot_draws_every_animal_and_slice_once():
    data = study()
    ax = Figure(figsize=(4, 3)).subplots()
    figures.dose_superplot(ax, data.animals, data.slices)
    heights = np.sort(
        np.concatenate([dots.get_offsets()[:, 1] for dots in ax.collections if len(dots.get_offsets())])
    )
    expected = np.sort([*data.animals["potentiation_percent"], *data.slices["potentiation_percent"]])
    dots = heights[np.isin(heights.round(9), expected.round(9))]
    np.testing.assert_array_equal(dots.round(9), expected.round(9))


def test_superplot_refuses_two_rows_for_an_animal():
    data = study()
    with pytest.raises(DataError, match="has two rows"):
        figures.dose_superplot(Figure().subplots(), data.slices)
    with pytest.raises(DataError, match="neither a table nor a comparison"):
        figures.dose_superplot(Figure().subplots())


def test_mean_of_a_group_is_the_mean_of_its_animals():
    # nine slices of one animal count as one animal, and nine responses of one slice as one slice
    responses = [("a", f"a{i}", 200.0) for i in range(9)]
    responses += [("b", "b0", 100.0)]
    responses += [("c", "c0", 140.0)] * 9 + [("c", "c1", 160.0)]
    table = pd.DataFrame(responses, columns=["animal", "recording", "percent_of_baseline"])
    means = courses.group_courses(courses.animal_courses(table.assign(group="vehicle", time_min=0.5)))
    assert means["mean"].tolist() == [150.0]  # of 200, 100 and 150
    assert means["n"].tolist() == [3]


def test_bins_never_hold_both_sides_of_induction():
    table = pd.DataFrame(
        {"group": "g", "animal": "a", "time_min": [-0.1, 0.1], "percent_of_baseline": [100.0, 300.0]}
    )
    course = courses.animal_courses(table, bin_min=5)
    assert course[["time_min", "percent_of_baseline"]].to_numpy().tolist() == [[-2.5, 100.0], [2.5, 300.0]]


def test_error_bars_by_hand():
    sd, n = pd.Series([2.0, np.nan]), pd.Series([4, 1])
    assert courses.half_width(sd, n, "sd")[0] == 2.0
    assert courses.half_width(sd, n, "sem")[0] == 1.0
    # Student's t, 0.975, 3 degrees of freedom, to the digits of printed tables
    assert courses.half_width(sd, n, "ci")[0] == pytest.approx(3.1824, abs=5e-5)
    assert courses.half_width(sd, n, "ci").isna()[1]
    with pytest.raises(DataError, match="no error bar 'sme'"):
        courses.half_width(sd, n, "sme")


def test_bins_with_few_animals_are_left_out():
    rows = [("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0), ("a", 3.0)]
    table = pd.DataFrame(rows, columns=["animal", "time_min"]).assign(group="g", percent_of_baseline=100.0)
    means = courses.group_courses(courses.animal_courses(table))
    assert means["time_min"].tolist() == [1.0]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_points_that_have_room_do_not_overlap(values):
    values = np.array(values)
    # forty points of width 1 always fit side by side within 40
    offsets = marks.swarm(values, 1.0, 10.0, 40.0)
    across = (offsets[:, None] - offsets[None, :]) / 1.0
    up = (values[:, None] - values[None, :]) / 10.0
    distance = np.hypot(across, up) + np.eye(values.size) * 9
    assert distance.min() >= 1 - 1e-6  # rounding of a square root of sums


def test_slice_grid_shows_codes_flags_and_nothing_else():
    data = study(2, 3)
    table = data.table.assign(code="R" + data.table["recording"].str.replace("-", ""), note="secret")
    table = pd.concat([table.assign(role="test"), table.assign(role="control", percent_of_baseline=100.0)])
    summary = pd.DataFrame(
        {"code": ["R000", "R000"], "role": ["test", "control"], "flags": ["baseline drifts by 14 %", ""]}
    )
    with figures.use("nature"):
        fig = figures.slice_grid(table, summary, baseline_min=(-10, 0))
    text = said(fig)
    assert "R000" in text
    assert "baseline drifts by 14 %" in text
    assert "test pathway" in text
    assert "control pathway" in text
    assert not any(name in text for name in [*data.names, *data.table["recording"], "secret"])
    test, control = fig.axes[0].lines[0], fig.axes[0].lines[3]
    assert test.get_marker() != control.get_marker()
    assert test.get_color() != control.get_color()


def test_slice_grid_takes_an_object_with_both_tables():
    data = study(2, 2)
    table = data.table.assign(code="R" + data.table["recording"].str.replace("-", ""))
    fig = figures.slice_grid(SimpleNamespace(time_course=table, summary=pd.DataFrame()))
    assert len(fig.axes) == table["code"].nunique()


def test_traces_have_a_scale_bar_in_place_of_axes():
    time = np.arange(-5, 30, 0.05)
    artefact = np.where(np.abs(time) < 0.4, 50.0, 0.0)
    response = -0.8 * np.exp(-(((time - 8) / 4) ** 2))
    ax = Figure(figsize=(3, 2)).subplots()
    figures.mean_traces(ax, time, {"baseline": artefact, "after": response + artefact}, blank_ms=(-0.5, 0.5))
    assert {"5 ms", "0.1 mV"} <= set(words(ax.figure))
    assert not ax.axison
    assert ax.get_ylim()[1] < 1  # the artefact of 50 mV does not set the height
    with pytest.raises(DataError, match="another length"):
        figures.mean_traces(ax, time, {"baseline": response[:-1]})


def test_doses_can_be_told_apart_by_colour_blind_readers():
    """Machado et al. 2009 (IEEE TVCG 15:1291), severity 1; CIEDE2000 between any two groups."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    deutan = [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
    protan = [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
    for n in range(2, 9):
        rgb = np.array([mpl.colors.to_rgb(colour) for colour in figures.group_colours(DOSES[:n]).values()])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        for matrix in (np.eye(3), deutan, protan):
            seen = np.clip(linear @ np.transpose(matrix), 0, 1)
            seen = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
            lab = rgb2lab(seen[None])[0]
            apart = min(deltaE_ciede2000(lab[i], lab[j]) for i in range(n) for j in range(i))
            # 2.3 is just noticeable side by side; small points further apart need several times that
            assert apart > (12 if n <= 5 else 6), (n, apart)
            assert (np.diff(lab[1:, 0]) < 0).all()  # the higher the dose, the darker


def test_styles_are_left_as_they_were_found():
    before = dict(mpl.rcParams)
    with figures.use("cell") as preset:
        assert preset.widths_mm["double"] == 174
        assert mpl.rcParams["pdf.fonttype"] == 42
        with pytest.raises(DataError, match="cell has no figure width 'quarter'"):
            figures.figure("quarter")
    assert dict(mpl.rcParams) == before
    with pytest.raises(DataError, match="at most 170 mm"):
        figures.figure("double", 200)
    with pytest.raises(DataError, match="no figure style 'science'"):
        figures.use("science")


def test_panels_say_what_is_missing():
    ax = Figure().subplots()
    with pytest.raises(DataError, match="no column time_min"):
        figures.time_course(ax, study().table.drop(columns="time_min"))
    with pytest.raises(DataError, match="holds no value"):
        figures.dose_superplot(ax, study().animals.assign(potentiation_percent=np.nan))
