"""Debian's Chromium, as the acceptance tests start it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


def works(path: str | None) -> bool:
    """Tell whether a browser can be started; some systems have a stub in its place."""
    return path is not None and not subprocess.run([path, "--version"], capture_output=True, check=False).returncode


CHROMIUM = next(filter(works, map(shutil.which, NAMES)), None)
OPTIONS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the viewer's pages are not tested"),
]


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Run the browser for the time of a test module, with `more` options."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, *more])
        yield browser
        browser.close()
