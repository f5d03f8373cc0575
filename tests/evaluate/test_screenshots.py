"""The page in a browser, where headless Chromium is installed: light and dark, on a telephone, and on paper."""

import json
import shutil
import subprocess
from functools import partial

import numpy as np
import pytest
from PIL import Image

from usfm.config import Request
from usfm.evaluate import config
from usfm.evaluate.run import run
from usfm.tasks import predictions

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no headless Chromium here")]


@pytest.fixture
def browse(tmp_path):
    def browse(*flags):
        words = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *flags]
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        return subprocess.run([*words, profile], check=True, capture_output=True, text=True, timeout=120).stdout

    return browse


@pytest.fixture
def page(tmp_path, make_run):
    for name, skill in (("a_run_with_a_long_name_" + "that_nothing_breaks" * 2, 3), ("random", 0)):
        (tmp_path / name).mkdir()
        predictions.write(tmp_path / name / predictions.FILE, make_run(skill=skill, names=("a long class name", "b")))
    runs = tuple(str(tmp_path / name) for name in ("a_run_with_a_long_name_" + "that_nothing_breaks" * 2, "random"))
    asked = config.Config(bootstrap=50, compare=True, format="html", by=("fold",))
    run(asked, Request(inputs=runs, out=str(tmp_path / "report")))
    return tmp_path / "report" / "report.html"


def test_light_and_dark_pages_have_light_and_dark_figures(page, browse, tmp_path):
    shade = {}
    for name, flags in (("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))):
        shot = partial(browse, f"--screenshot={tmp_path / name}.png", "--window-size=1200,3000")
        shot(*flags, page.as_uri())
        shade[name] = np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"), float)
    assert shade["light"].mean() > 220
    assert shade["dark"].mean() < 60
    assert (shade["dark"] > 240).mean() < 0.01  # no white figure in a dark page


def test_a_telephone_scrolls_tables_and_never_the_page(page, browse, tmp_path):
    """The browser makes no window under 500 px, so the page stands in a frame of 400 px and says how wide it is."""
    measured = page.read_text().replace(
        "</body>",
        "<script>addEventListener('load', () => parent.postMessage([innerWidth, document.documentElement.scrollWidth, "
        "Math.max(...[...document.images].map(i => i.getBoundingClientRect().right))], '*'))</script></body>",
    )
    (tmp_path / "measured.html").write_text(measured)
    outer = tmp_path / "outer.html"
    outer.write_text(
        "<title></title><script>addEventListener('message', told => { document.title = JSON.stringify(told.data) })"
        "</script><iframe src='measured.html' style='width: 400px; height: 900px; border: 0'></iframe>"
    )
    text = browse("--window-size=600,1000", "--virtual-time-budget=10000", "--dump-dom", outer.as_uri())
    inner, whole, right = json.loads(text.split("<title>")[1].split("</title>")[0])
    assert inner == 400
    assert whole <= inner
    assert right <= inner


def test_paper_holds_everything(page, browse, tmp_path):
    browse(f"--print-to-pdf={tmp_path / 'page.pdf'}", "--no-pdf-header-footer", page.as_uri())
    assert (tmp_path / "page.pdf").stat().st_size > 50_000
    reader = shutil.which("pdftotext")
    if reader:
        text = subprocess.run(
            [reader, str(tmp_path / "page.pdf"), "-"], check=True, capture_output=True, text=True
        ).stdout
        for folded in ("calibration error", "Folds", "python"):
            assert folded in text
