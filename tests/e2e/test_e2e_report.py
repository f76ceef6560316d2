"""The report's page in a real browser: charts are drawn, light and dark, on a phone, too; nothing is asked for.

Wants Debian's chromium; without it the tests fail and say so.
"""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from time import time

import pytest
from PIL import Image
from stand_in import journals

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--disable-domain-reliability", "--disable-extensions", "--no-pings", "--metrics-recording-only",
    "--disable-features=OptimizationHints,MediaRouter,Translate", "--enable-logging=stderr",
]  # fmt: skip
SCHEMES = {"light": 1, "dark": 0}
"""Blink's numbers of preferredColorScheme."""
PAPER = {"light": (246, 247, 249), "dark": (18, 22, 28)}
FIRST = {"light": (11, 102, 194), "dark": (108, 178, 255)}
"""The colour of the first series of a chart (--c1 in page.html)."""
PHONE = 360
OWN = "not an origin"
LOOK = """<!DOCTYPE html><title>x</title><pre id="told"></pre>
<iframe id="page" src="{page}" style="width: {width}px; height: 4000px; border: 0"></iframe>
<script>
document.getElementById("page").onload = (event) => {{
  const page = event.target.contentDocument, inner = page.documentElement;
  const seen = (one) => {{ const box = one.getBoundingClientRect(); return box.width > 1 && box.height > 1; }};
  document.getElementById("told").textContent = JSON.stringify({{
    width: inner.scrollWidth,
    svgs: [...page.querySelectorAll("svg")].map((one) => [...one.querySelectorAll("rect.rect, path.line")]
      .filter(seen).length),
    right: Math.max(...[...page.querySelectorAll("section, .number, h1")]
      .map((one) => one.getBoundingClientRect().right)),
    text: Math.min(...[...page.querySelectorAll("svg text")].filter(seen)
      .map((one) => one.getBoundingClientRect().height)),
  }});
}};
</script>"""


class Browser:
    """Chromium, behind a proxy that isn't there: nothing gets out, and its own log tells what was tried."""

    def __init__(self, folder: Path) -> None:
        if not Path(CHROMIUM).exists():
            pytest.fail("no browser: apt-get install --no-install-recommends chromium")
        self.folder = folder
        self.asked: list[str] = []

    def run(self, page: Path, *words: str) -> tuple[str, list[str]]:
        """What it prints, and what came to its console; `asked` is what the page asked for."""
        log = self.folder / "net.json"
        options = [*QUIET, "--proxy-server=127.0.0.1:9", "--proxy-bypass-list=<-loopback>", f"--log-net-log={log}",
                   f"--user-data-dir={self.folder / 'profile'}", *words]  # fmt: skip
        done = subprocess.run(
            [CHROMIUM, *options, page.as_uri()],
            capture_output=True, check=True, timeout=120, env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        self.asked = asked_for(json.loads(log.read_text()))
        return done.stdout.decode(), re.findall(r"CONSOLE.*", done.stderr.decode())

    def look(self, page: Path, width: int) -> dict:
        """What a page is like in a window of this width."""
        wrapper = self.folder / "wrapper.html"
        wrapper.write_text(LOOK.format(page=page.as_uri(), width=width))
        told, _ = self.run(
            wrapper, "--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom"
        )
        return json.loads(unescape(re.search(r'<pre id="told">(.*?)</pre>', told)[1]))


def asked_for(log: dict) -> list[str]:
    """The addresses that pages asked for; the browser's own requests have no origin."""
    started = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [event.get("params", {}) for event in log["events"] if event["type"] == started]
    return [one["url"] for one in requests if one.get("initiator", OWN) != OWN]


@pytest.fixture
def browser(tmp_path):
    return Browser(tmp_path)


@pytest.fixture(scope="module")
def page(package_copy, tmp_path_factory):
    """The page of a journal of 3,000 mails."""
    from stand_in.desk_site import DeskSite

    site = DeskSite(package_copy)
    journals.write(site.state / "journal", 3000, time(), 6.9)
    site.own(site.state)
    path = tmp_path_factory.mktemp("report") / "page.html"
    done = site.run("report", "--html", path)
    assert (done.returncode, done.stderr) == (0, "")
    shutil.rmtree(site.folder)
    return path


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_drawn_in_the_colours_of_the_screen_without_a_word_on_the_console(browser, page, scheme):
    shot = browser.folder / f"{scheme}.png"
    _, console = browser.run(
        page,
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--screenshot={shot}",
        "--window-size=1280,1600",
    )
    assert console == []
    assert browser.asked == []
    with Image.open(shot) as image:
        colours = {colour[:3]: number for number, colour in image.convert("RGB").getcolors(1 << 24)}
    assert colours[PAPER[scheme]] > 50_000
    assert colours.get(FIRST[scheme], 0) > 5_000
    assert FIRST["dark" if scheme == "light" else "light"] not in colours


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_every_chart_is_drawn_and_nothing_sticks_out(browser, page, width):
    seen = browser.look(page, width)
    assert len(seen["svgs"]) == 5
    assert all(marks >= 2 for marks in seen["svgs"])
    assert seen["width"] <= width
    assert seen["right"] <= width
    assert seen["text"] >= 8
    assert browser.asked == []


class TestTheBrowserTells:
    """That what the tests above don't find would be seen."""

    def test_requests(self, browser):
        path = browser.folder / "asking.html"
        path.write_text('<!DOCTYPE html><title>x</title><img src="http://example.org/seen.png">')
        browser.run(path, "--virtual-time-budget=5000", "--dump-dom")
        assert browser.asked == ["http://example.org/seen.png"]

    def test_errors_on_the_console(self, browser):
        path = browser.folder / "failing.html"
        path.write_text("<!DOCTYPE html><title>x</title><script>nonsense()</script>")
        _, console = browser.run(path, "--virtual-time-budget=5000", "--dump-dom")
        assert any("nonsense" in line for line in console)

    def test_what_the_policy_of_the_page_forbids(self, browser, page):
        path = browser.folder / "altered.html"
        path.write_text(
            page.read_text().replace("</body>", '<script>1</script><img src="http://example.org/x"></body>')
        )
        _, console = browser.run(path, "--virtual-time-budget=5000", "--dump-dom")
        assert any("Content Security Policy" in line for line in console)
        assert browser.asked == []
