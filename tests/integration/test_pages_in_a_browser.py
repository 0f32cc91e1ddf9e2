"""Every page in a real browser: readable by everybody, and asking nobody else for anything."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

import browser
from served import Served

#: fields of `Filled` in braces
PAGES = ("/runs",)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_hinders_nobody_and_asks_nobody_else(
    chromium: Browser, server: Served, path: str
) -> None:
    with browser.opened(chromium) as page:
        seen = browser.watch(page)
        page.goto(server.url + path)

        assert browser.serious_findings(page) == []
        assert (seen.errors, seen.foreign) == ([], [])


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_enough_contrast_in_the_dark(
    chromium: Browser, server: Served, path: str
) -> None:
    with browser.opened(chromium, is_dark=True) as page:
        page.goto(server.url + path)

        assert browser.serious_findings(page) == []


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "zoom"), [(375, 1), (1280, 2), (750, 2)])
def test_a_page_never_scrolls_sideways(
    chromium: Browser, server: Served, path: str, width: int, zoom: int
) -> None:
    with browser.opened(chromium, width, zoom) as page:
        page.goto(server.url + path)

        assert browser.wider_than_the_screen(page) == []
