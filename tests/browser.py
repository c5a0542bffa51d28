"""A real headless Chromium: Debian's, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

FLAGS = (
    # As root there is no sandbox; the rest keeps it from asking the network for anything of its own.
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
MISSING = "there is no chromium: `apt-get install chromium` (Debian) brings it"


@contextmanager
def context(**options: object) -> Iterator[BrowserContext]:
    """Start Chromium with an empty profile, or skip the test where there is none; in CI it must be there."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        try:
            yield browser.new_context(**options)
        finally:
            browser.close()


def foreign_requests(page: Page) -> list[str]:
    """Return a list that fills with every address outside of this machine that the page asks for."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if _is_foreign(request.url) else None)
    return asked


def _is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:"))
