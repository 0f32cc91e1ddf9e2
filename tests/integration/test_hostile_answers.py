"""A thousand hostile texts as answers: shown as text, and given back as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser

import browser
from crucible_api.http import wire
from crucible_api.http.wire import Page
from crucible_infra.database.completions import CompletionRow
from filled_database import hostile_run
from hostile_texts import TRACES, hostile_texts
from served import Served, served

#: a tag that such a text has made
_TAG = re.compile(r"<[^>]*\bhostile")

#: of the texts, those that a browser looks at: each kind of markup alone, and all that is strange
SEEN_EVERY = 12


@dataclass(frozen=True, slots=True)
class Site:
    """A server, and the run with the hostile answers."""

    url: str
    run_id: str
    #: where each answer is, in the order of the texts
    places: tuple[tuple[str, int], ...]

    def page_of(self, number: int) -> str:
        """The page of one answer."""
        task_id, index = self.places[number]
        return f"/runs/{self.run_id}/completions?task_id={task_id}&index={index}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("hostile")) as server:
        yield _site(server)


def _site(server: Served) -> Site:
    runs = server.services.runs
    run_id = hostile_run(runs.database, runs.artifacts)
    places = tuple((row.task_id, row.index) for row in runs.verdict_rows(run_id))
    return Site(server.url, run_id, places)


def test_the_api_gives_every_text_back_unchanged(site: Site) -> None:
    assert [row.text for row in _completions(site)] == list(hostile_texts())


def test_no_text_becomes_markup_on_its_page(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=60) as client:
        answers = [client.get(site.page_of(number)) for number in range(len(site.places))]

    assert {answer.status_code for answer in answers} == {200}
    assert [_TAG.findall(answer.text) for answer in answers if _TAG.search(answer.text)] == []


def test_no_text_runs_or_becomes_an_element_in_a_browser(chromium: Browser, site: Site) -> None:
    paths = [site.page_of(number) for number in range(0, len(site.places), SEEN_EVERY)]
    paths += [f"/runs/{site.run_id}", f"/runs/{site.run_id}/grid", "/runs", "/", "/compare"]
    with browser.opened(chromium) as page:
        seen = browser.watch(page)
        hurt = []
        for path in paths:
            page.goto(site.url + path)
            traces = page.locator(TRACES).count()
            has_run = page.evaluate("() => window.ran !== undefined")
            is_elsewhere = page.url != site.url + path
            hurt += [path] if traces or has_run or is_elsewhere else []

    assert hurt == []
    assert (seen.errors, seen.foreign) == ([], [])


def _completions(site: Site) -> Iterator[CompletionRow]:
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
