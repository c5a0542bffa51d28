"""The report in a real browser, where there is one: it asks for nothing, and prints what is folded."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PDFTOTEXT = shutil.which("pdftotext")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--no-pdf-header-footer"),
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


def show(page: Path, *options: str) -> tuple[str, set[str]]:
    """Show a page in a browser that finds no host; return its DOM, and what the page asked for.

    What the browser asks on its own behalf, such as the time or an update, is in its log too, but not
    under the key of a page from a file.
    """
    log = page.parent / "log.json"
    done = subprocess.run(
        [
            *(str(CHROMIUM), *QUIET, f"--user-data-dir={page.parent / 'profile'}", f"--log-net-log={log}"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", *(options or ["--dump-dom"]), page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    parameters = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    return done.stdout, {
        each.get("url") or each.get("host", "?")
        for each in parameters
        for key in ("network_isolation_key", "network_anonymization_key")
        if each.get(key, "").startswith("file://")
    }


def test_it_is_shown_whole_and_asks_for_nothing(html, tmp_path):
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    shown, asked = show(tmp_path / "report.html")
    assert asked == set()
    assert shown.count("<img ") == html.count("<img ")
    assert '<h2 id="parameters">' in shown


def test_a_picture_from_outside_would_be_found(html, tmp_path):
    policy = re.compile(r"<meta http-equiv=[^>]+>")
    outside = policy.sub('<img src="http://outside.invalid/x.png" alt="">', html)
    (tmp_path / "report.html").write_text(outside, encoding="utf-8")
    _, asked = show(tmp_path / "report.html")
    assert "http://outside.invalid/x.png" in asked


@pytest.mark.skipif(PDFTOTEXT is None, reason="no pdftotext here")
def test_on_paper_every_model_is_unfolded_and_no_claim(html, tmp_path):
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    show(tmp_path / "report.html", f"--print-to-pdf={tmp_path / 'report.pdf'}")
    command = [str(PDFTOTEXT), "-layout", str(tmp_path / "report.pdf"), "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert text.count("Worst mistakes:") == 10
    assert "Claims as asked" not in text
    assert text.count("(../docs/exercises/") == 6
