"""The report of a comparison as a browser shows it: narrow and wide, with its pictures, without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from workflows import WORKFLOWS, call

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--hide-scrollbars", "--force-device-scale-factor=1",
)  # fmt: skip
HEIGHT = 2400
BARS = (0x00, 0x72, 0xB2)
"""The colour of the modules' time in the chart of times."""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the trigger job."""
    folder = tmp_path_factory.mktemp("report")
    sizes = ("--events", "8", "--streams", "4", "--repeats", "1", "--distance", "0ms,20ms")
    call(folder, "compare", WORKFLOWS[0].file, *sizes, "--report", "report.html")
    return folder / "report.html"


def shown(page: Path, width: int, folder: Path) -> NDArray[np.uint8]:
    """The page's pixels in a window of that width, [HEIGHT, width, 3]."""
    assert BROWSER is not None
    picture = folder / "shot.png"
    own = (f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{HEIGHT}", f"--screenshot={picture}")
    done = subprocess.run(
        [BROWSER, *OPTIONS, *own, page.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("width", [500, 1280])
def test_a_browser_shows_text_and_charts_within_the_window(report: Path, width: int, tmp_path: Path) -> None:
    pixels = shown(report, width, tmp_path)
    assert pixels.shape == (HEIGHT, width, 3)
    assert (pixels[:, -8:] == 255).all()  # the margin: nothing is wider than the window
    dark = (pixels.max(axis=2) < 128).mean()
    assert 0.01 < dark < 0.5  # text and lines: neither an empty page nor an error's
    bars = (pixels == BARS).all(axis=2)
    assert bars.sum() > 1000
    assert np.ptp(bars.nonzero()[1]) < width - 20
