"""A thousand hostile texts as answers: shown as text, and given back as they were.

`tests/performance/hostile_pages.py` shows every one of them; here it is some of each kind.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser

import browser
from crucible_api.http import wire
from crucible_api.http.wire import Page
from crucible_infra.database.completions import CompletionRow
from hostile_site import HostileSite, hostile_site, with_tags, with_traces
from hostile_texts import COUNT, hostile_texts

#: pages of one in so many texts are asked for, the huge one among them
ASKED_EVERY = 9

#: and seen in a browser
SEEN_EVERY = 27


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileSite]:
    with hostile_site(tmp_path_factory.mktemp("hostile")) as running:
        yield running


def test_the_api_gives_every_text_back_unchanged(site: HostileSite) -> None:
    found = [row.text for row in _completions(site)]

    assert found == [_joined(text) for text in hostile_texts()]


def test_no_text_becomes_markup_on_its_page(site: HostileSite) -> None:
    paths = [site.page_of(number) for number in range(0, COUNT, ASKED_EVERY)]

    assert site.page_of(COUNT - 1) in paths
    assert list(with_tags(site, [*paths, *site.pages])) == []


def test_no_text_runs_or_becomes_an_element_in_a_browser(
    chromium: Browser, site: HostileSite
) -> None:
    paths = [site.page_of(number) for number in range(0, COUNT, SEEN_EVERY)]
    with browser.opened(chromium) as page:
        seen = browser.watch(page)
        hurt = list(with_traces(page, site, [*paths, *site.pages]))

    assert hurt == []
    assert (seen.errors, seen.foreign) == ([], [])


def _joined(text: str) -> str:
    """The text as JSON has it: two halves of a surrogate pair beside each other are whole there."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _completions(site: HostileSite) -> Iterator[CompletionRow]:
    after: str | None = None
    with httpx.Client(base_url=site.url, timeout=60) as client:
        while True:
            asked = {"limit": "500"} | ({} if after is None else {"after": after})
            answer = client.get(f"/api/v1/runs/{site.run_id}/completions", params=asked)
            page = wire.decode(answer.content, Page[CompletionRow])
            yield from page.items
            after = page.next
            if after is None:
                return
