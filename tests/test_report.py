"""Reports: run on a small study, opened in a real browser without network, and refused without a trace."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from labkit import page, report
from labkit.errors import LabkitError, PickError, ResultError, StudyError
from labkit.study import new

CHROMIUM = Path("/usr/bin/chromium")
TITLE = "Dose & LTP <script>alert(1)</script>"
# one black pixel
PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c63600000000200014898a9e40000000049454e44ae426082"
    )
).decode()
PARAMETERS = 'study = "nowhere"'

FIRST = [
    (
        "markdown",
        "# 1. Potentiation\n\nSlices are stimulated. More.\n\n$a_1$ and ![far](http://example.org/x.png)",
    ),
    ("parameters", PARAMETERS),
    (
        "code",
        "import os, sys, warnings\nfrom IPython.display import display\n"
        "from labkit import open_study, report\n"
        "lab = open_study(study)\n"
        "warnings.warn('The unit was taken as mV.')\nwarnings.warn('old', DeprecationWarning)\n"
        "print('chatter', file=sys.stderr)\n"
        "print('strict', os.environ.get('LABKIT_STRICT'), os.path.basename(os.getcwd()))",
    ),
    ("code", "report.notice('3 of 12 windows are <b>proposals</b>.')"),
    ("markdown", "## Windows <script>alert(2)</script>\n\n### Each\n\n### Each"),
    (
        "code",
        "view = 'application/vnd.jupyter.widget-view+json'\n"
        f"display({{'image/png': '{PNG}', 'text/plain': 'x', view: {{'model_id': 'a'}}}},"
        " metadata={'image/png': {'alt': 'A \"quoted\" <trace>', 'width': 200}}, raw=True)",
    ),
    (
        "code",
        "import pandas as pd\npd.DataFrame({'slope_mV_per_ms': [0.31, 0.29], 'flags': ['<i>drift</i>', ''],"
        " **{f'column_{i}': 123456.7 for i in range(12)}}, index=pd.Index(['R1', 'R2'], name='code'))",
    ),
    ("code", "display({'text/html': '<p onclick=\"x()\">after</p><script>alert(3)</script>'}, raw=True)"),
]
LAST = [
    ("markdown", "# 4. Statistics\n\nGroups are compared."),
    ("parameters", PARAMETERS),
    ("code", "(lambda: print(open('seen.txt').read()))()"),
]


def notebook(path, cells):
    book = nbformat.v4.new_notebook()
    for i, (kind, text) in enumerate(cells):
        cell = nbformat.v4.new_markdown_cell(text) if kind == "markdown" else nbformat.v4.new_code_cell(text)
        cell["id"] = f"cell-{i}"
        if kind == "parameters":
            cell.metadata["tags"] = [kind]
        book.cells.append(cell)
    nbformat.write(book, path)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = new(tmp_path_factory.mktemp("lab") / "mine")
    for name in ("vehicle 1.abf", "high dose 2.abf"):
        (folder / "ltp" / name).write_bytes(name.encode())
    (folder / "ltp" / "vehicle 1.abf.picks.json").write_text("{}")
    (folder / "recordings.csv").write_text(
        "files,animal,slice\nltp/vehicle 1.abf,007,1\nltp/high dose 2.abf,008,1\n"
    )
    settings = folder / "study.toml"
    settings.write_text(re.sub(r"(?m)^title = .*$", f"title = '{TITLE}'", settings.read_text()))
    return folder


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    """Both reports of the small study, and what was said on the way."""
    books = tmp_path_factory.mktemp("books")
    write = ("code", "open('seen.txt', 'w').write('written by notebook 1')")
    notebook(books / "01_ltp.ipynb", [*FIRST, write])
    notebook(books / "04_statistics.ipynb", LAST)
    lines = []
    paths = report.run(study, notebooks_dir=books, jobs=2, strict=True, progress=lines.append)
    return paths, lines


def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_reports_come_in_order_with_one_line_each(made, study):
    paths, lines = made
    assert [path.relative_to(study).as_posix() for path in paths] == [
        "reports/01_ltp.html", "reports/04_statistics.html", "reports/index.html",
    ]  # fmt: skip
    assert all(re.fullmatch(r"\w+: \d+\.\d s", line) for line in lines)
    assert [line.split(":")[0] for line in lines] == ["01_ltp", "04_statistics"]
    assert sorted(path.name for path in (study / "reports").iterdir()) == [path.name for path in paths]
    assert all(path.stat().st_size < 3e6 for path in paths)


def test_statistics_wait_for_what_they_read(made):
    assert "written by notebook 1" in soup(made[0][1]).main.get_text()


def test_notebook_gets_study_strict_mode_and_its_own_folder(made):
    assert re.search(r"strict 1 books\d", soup(made[0][0]).main.get_text())


def test_report_shows_results_and_hides_code_and_chatter(made):
    page_ = soup(made[0][0])
    text = page_.main.get_text()
    assert "open_study" not in text
    assert "chatter" not in text
    assert "DeprecationWarning" not in text
    assert "nowhere" not in text
    assert page_.html["lang"] == "en"
    assert page_.title.get_text() == f"1. Potentiation – {TITLE}"


def test_cautions_stand_right_below_the_title(made):
    page_ = soup(made[0][0])
    below = [tag for tag in page_.h1.find_next_siblings() if tag.name][:2]
    assert [tag.get_text() for tag in below] == [
        "The unit was taken as mV.",
        "3 of 12 windows are <b>proposals</b>.",
    ]
    assert [tag["role"] for tag in below] == ["note", "note"]
    index = soup(made[0][2]).main.get_text()
    assert "3 of 12 windows are <b>proposals</b>." in index


def test_nothing_of_a_study_becomes_a_program(made):
    for path in made[0]:
        page_ = soup(path)
        assert not page_.find_all(["script", "iframe", "object", "embed"])
        assert not [tag for tag in page_.find_all(True) for name in tag.attrs if name.startswith("on")]
        assert all(tag["src"].startswith("data:") for tag in page_.find_all(src=True))
        assert TITLE in page_.get_text()
        policy = page_.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
        assert "default-src 'none'" in policy


def test_images_have_their_description(made):
    images = soup(made[0][0]).main.find_all("img")
    assert [(image["alt"], image["width"]) for image in images] == [('A "quoted" <trace>', "200")]


def test_contents_bar_leads_to_every_heading(made):
    page_ = soup(made[0][0])
    assert len(page_.find_all("h1")) == 1
    links = page_.nav.find_all("a")
    assert [link.get_text() for link in links] == ["Windows", "Each", "Each", "How this was made"]
    identifiers = [tag["id"] for tag in page_.find_all(id=True)]
    assert len(identifiers) == len(set(identifiers))
    assert {link["href"][1:] for link in page_.find_all("a") if link["href"].startswith("#")} <= set(
        identifiers
    )


def test_table_headers_say_what_they_head(made):
    table = soup(made[0][0]).main.find("table")
    heads = table.select("thead th")
    assert [cell.get_text() for cell in heads[:3]] == ["code", "slope_mV_per_ms", "flags"]
    assert {cell["scope"] for cell in heads} == {"col"}
    assert {cell["scope"] for cell in table.select("tbody th")} == {"row"}
    assert "<i>drift</i>" in table.get_text()
    region = table.parent
    assert (region["tabindex"], region["role"], region["aria-label"]) == ("0", "region", "Table: Each")


def test_foot_tells_versions_settings_and_hashes(made, study):
    foot = soup(made[0][0]).footer.get_text()
    for word in (
        "labkit",
        "python",
        "numpy",
        "scipy",
        "pandas",
        "statsmodels",
        "matplotlib",
        "20-80",
        "strict",
    ):
        assert word in foot
    for name in ("study.toml", "animals.csv", "recordings.csv"):
        assert hashlib.sha256((study / name).read_bytes()).hexdigest() in foot
    for name in ("vehicle 1.abf", "vehicle 1.abf.picks.json"):
        assert hashlib.sha256((study / "ltp" / name).read_bytes()).hexdigest() in foot


def test_names_of_raw_files_stay_hidden_until_the_statistics(made):
    blind, open_, index = (path.read_text(encoding="utf-8") for path in made[0])
    assert "high dose" not in blind
    assert "high dose" not in index
    assert "high dose 2.abf" in open_
    assert re.search(r"R\d{3}", blind)


def test_index_gives_the_hash_of_each_report(made):
    index = soup(made[0][2])
    assert [link["href"] for link in index.main.find_all("a")] == ["01_ltp.html", "04_statistics.html"]
    for path in made[0][:2]:
        assert hashlib.sha256(path.read_bytes()).hexdigest() in index.footer.get_text()


def test_browser_without_network_asks_for_nothing_and_complains_of_nothing(made):
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]"
    )
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    requests, complaints = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
        tab = context.new_page()
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        for path in made[0]:
            tab.goto(path.as_uri())
            assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
            for width in (1280, 400):  # a wide table scrolls in its own box, never the page
                tab.set_viewport_size({"width": width, "height": 900})
                assert tab.evaluate("document.documentElement.scrollWidth") == width
        tab.emulate_media(media="print")
        assert not tab.is_visible("nav")
        browser.close()
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri() for path in made[0]]
    assert complaints == []


def test_text_has_the_contrast_that_wcag_asks():
    css = (report.TEMPLATES / "report" / "report.css").read_text()
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", css))

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ink in ("ink", "quiet", "link"):
        for back in ("#ffffff", colours["faint"], colours["caution-back"]):
            low, high = sorted((luminance(colours[ink]), luminance(back)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, back)  # WCAG 2.2, 1.4.3, level AA


def test_user_mistake_comes_out_as_its_sentence_and_stops_the_others(made, study, tmp_path):
    before = {path.name: path.read_bytes() for path in (study / "reports").iterdir()}
    raising = (
        "from labkit.errors import PickError\n"
        "raise PickError(\"nobody has confirmed 'window_ms S0'\", where='a.abf', todo='confirm it')"
    )
    notebook(tmp_path / "01_ltp.ipynb", [("parameters", PARAMETERS), ("code", raising)])
    notebook(
        tmp_path / "02_slow.ipynb", [("parameters", PARAMETERS), ("code", "import time\ntime.sleep(300)")]
    )
    start = time.monotonic()
    with pytest.raises(PickError) as caught:
        report.run(study, notebooks_dir=tmp_path, jobs=2, progress=lambda line: None)
    assert str(caught.value) == "a.abf: nobody has confirmed 'window_ms S0'; confirm it."
    assert (
        time.monotonic() - start < 60
    )  # far less than the 300 s of the other, far more than a busy machine needs
    assert {path.name: path.read_bytes() for path in (study / "reports").iterdir()} == before


def test_bug_comes_out_with_the_end_of_its_traceback(study, tmp_path):
    code = "class DataError(Exception): pass\nraise DataError('no numeric types')"
    notebook(tmp_path / "01_ltp.ipynb", [("parameters", PARAMETERS), ("code", "1"), ("code", code)])
    with pytest.raises(report.NotebookError) as caught:
        report.run(study, notebooks_dir=tmp_path, output=tmp_path / "out", progress=lambda line: None)
    text = str(caught.value)
    assert text.startswith("01_ltp.ipynb, code cell 3: DataError: no numeric types\n")
    assert "raise DataError" in text
    assert "\x1b" not in text
    assert not (tmp_path / "out").exists()


def test_wrong_calls_are_refused_before_anything_runs(study, tmp_path):
    with pytest.raises(StudyError, match="is not there"):
        report.run(tmp_path / "nothing")
    with pytest.raises(LabkitError, match="there are no notebooks"):
        report.run(study, notebooks_dir=tmp_path)
    notebook(tmp_path / "01_ltp.ipynb", [("code", "1")])
    with pytest.raises(
        LabkitError, match=r"no notebook 7, or the study has nothing for it; expected one of 1 \(01_ltp\)"
    ):
        report.run(study, notebooks=[7], notebooks_dir=tmp_path)
    with pytest.raises(LabkitError, match="jobs is 0"):
        report.run(study, jobs=0, notebooks_dir=tmp_path)
    with pytest.raises(LabkitError, match=r"01_ltp.ipynb: no cell is tagged parameters"):
        report.run(study, notebooks=["01_ltp"], notebooks_dir=tmp_path, output=tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="the reports cannot be written"):
        report.run(study, notebooks_dir=tmp_path, output=tmp_path / "file")
    assert not (tmp_path / "out").exists()


def test_notice_in_words():
    shown = report.notice("  2 <windows>\n are proposals. ")
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == "Notice: 2 <windows> are proposals."
    assert "2 &lt;windows&gt; are proposals." in bundle["text/html"]
    assert report.notice("") is None
    with pytest.raises(LabkitError, match="no notice of kind 'alarm'"):
        report.notice("x", kind="alarm")


TAGS = [
    "p",
    "img",
    "script",
    "iframe",
    "svg",
    "a",
    "style",
    "object",
    "table",
    "td",
    "link",
    "meta",
    "form",
    "template",
]
ATTRIBUTES = ["onclick", "ONERROR", "src", "href", "style", "srcset", "class", "data", "background"]
VALUES = [
    "alert(1)", "javascript:alert(1)", " java\nscript:x", "http://a.example/b", "//a.example", "url(http://a)",
    "data:image/png,x",
]  # fmt: skip


@given(st.lists(st.tuples(*(st.sampled_from(choice) for choice in (TAGS, ATTRIBUTES, VALUES))), max_size=6))
def test_whatever_html_a_notebook_shows_runs_and_loads_nothing(parts):
    inner = "".join(f'<{tag} {attribute}="{value}">x' for tag, attribute, value in parts)
    html = f'<nav id="contents"></nav><main id="main"><h1>T</h1>{inner}</main>'
    clean = BeautifulSoup(page.finish(html, "T"), "html.parser")
    assert not clean.find_all(["script", "iframe", "object", "link", "meta", "form", "template"])
    for tag in clean.find_all(True):
        for name, value in tag.attrs.items():
            text = re.sub(r"\s", "", " ".join(value) if isinstance(value, list) else value).lower()
            assert not name.lower().startswith("on")
            assert "javascript:" not in text
            assert not (name == "style" and "url(" in text)
            if name == "href" and tag.name != "a":
                assert text.startswith(("#", "data:"))
            if name in ("src", "srcset", "data", "background"):
                assert text.startswith("data:")
