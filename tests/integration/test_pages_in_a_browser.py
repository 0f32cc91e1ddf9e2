"""Every page in a real browser: readable by everybody, and asking nobody else for anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pytest
from playwright.sync_api import Browser, Page

import browser
from served import Served

#: fields of `Filled` in braces
PAGES = (
    "/",
    "/runs",
    "/runs?state=running",
    "/runs/{large}",
    "/runs/{running}",
    "/runs/{planned}",
    "/runs/{gappy}",
    "/runs/{router}",
    "/runs/{toy}",
    "/runs/{large}/grid",
    "/runs/{large}/completions?task_id=shop/vat&index=0",
    "/runs/{large}/completions?task_id=shop/vat&index=1",
    "/diff?a={large}&b={small}&task_id=shop/vat&index=1",
    "/compare",
    "/compare?a={small}&b={large}",
    "/sweeps",
    "/sweeps/{sweep}",
    "/sweeps/{router_sweep}",
    "/fine-tunes",
    "/fine-tunes/{fine_tune}",
    "/fine-tunes/{fine_tune_running}",
    "/fine-tunes/{fine_tune_failed}",
    "/costs",
    "/workers",
    "/login",
)

#: a phone, and a desk's window at 200 %
NARROW = (375, 640)


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[Page]:
    """One for all pages: it reads a script once."""
    with browser.opened(chromium) as page:
        yield page


@pytest.mark.parametrize("path", PAGES)
def test_a_page_hinders_nobody_and_asks_nobody_else(tab: Page, server: Served, path: str) -> None:
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": browser.WIDTHS[-1], "height": 800})
    seen = browser.watch(tab)
    answer = tab.goto(server.url + path.format(**asdict(server.filled)))

    assert answer is not None
    assert answer.status == 200
    assert browser.serious_findings(tab) == []
    assert _found_in_the_dark(tab) == []
    assert [line for width in NARROW for line in _wider(tab, width)] == []
    assert (seen.errors, seen.foreign) == ([], [])


def _found_in_the_dark(page: Page) -> list[str]:
    page.emulate_media(color_scheme="dark")
    return browser.serious_findings(page, rules=("color-contrast", "link-in-text-block"))


def _wider(page: Page, width: int) -> list[str]:
    page.set_viewport_size({"width": width, "height": 800})
    return browser.wider_than_the_screen(page)
