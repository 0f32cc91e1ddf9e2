"""The browser the pages are tried in: it runs, and sees what it is there to see."""

from __future__ import annotations

from playwright.sync_api import Browser, Page

import browser

_PAGE = """<!doctype html>
<html lang="en"><head><title>Runs</title><meta name="viewport" content="width=device-width"></head>
<body><main><h1>Runs</h1>{}</main></body></html>"""


def test_a_field_without_a_label_is_found(page: Page) -> None:
    page.set_content(_PAGE.format("<input>"))

    [found] = browser.serious_findings(page)

    assert found.startswith("critical label: ")
    assert found.endswith(": <input>")


def test_a_field_with_a_label_is_fine(page: Page) -> None:
    page.set_content(_PAGE.format("<label>Model <input></label>"))

    assert browser.serious_findings(page) == []


def test_faint_text_is_found(page: Page) -> None:
    page.set_content(_PAGE.format("<p style='color: #bbb'>faint</p>"))

    assert "color-contrast" in browser.serious_findings(page)[0]


def test_what_a_script_raises_and_whom_a_page_asks_is_seen(page: Page) -> None:
    seen = browser.watch(page)
    page.route("**/*", lambda route: route.fulfill(body=""))

    page.set_content(
        _PAGE.format(
            "<img alt='' src='http://elsewhere.example/a.png'><script>missing()</script>"
            "<img alt='' src='http://127.0.0.1:1/a.png'><script>console.error('oh')</script>"
        )
    )

    assert seen.foreign == ["http://elsewhere.example/a.png"]
    assert [line.partition(":")[0] for line in seen.errors] == ["raised", "error"]


def test_what_makes_a_narrow_page_scroll_sideways_is_named(chromium: Browser) -> None:
    wide = "<div style='overflow-x: {}'><pre>{}</pre></div>"
    with browser.opened(chromium, width=375) as page:
        page.set_content(_PAGE.format(wide.format("auto", "x" * 200)))
        inside = browser.wider_than_the_screen(page)
        page.set_content(_PAGE.format(wide.format("visible", "x" * 200)))
        outside = browser.wider_than_the_screen(page)

    assert inside == []
    assert outside[-2:] == ["<pre></pre>", "the page itself"]


def test_texts_are_as_wide_as_on_every_machine(page: Page) -> None:
    page.set_content(_PAGE.format("<code style='font: 16px monospace'>0123456789</code>"))

    width = page.locator("code").evaluate("one => one.getBoundingClientRect().width")

    # DejaVu Sans Mono's 9.63 pixels each, in whole ones
    assert width == 100
