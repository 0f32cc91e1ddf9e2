"""A server whose database holds the hostile texts, and whether one of its pages obeys them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
from playwright.sync_api import Page

from filled_database import hostile_run
from hostile_texts import TRACES
from served import served

#: a tag that such a text has made
_TAG = re.compile(r"<[^>]*\bhostile")


@dataclass(frozen=True, slots=True)
class HostileSite:
    """A server, and the run with the hostile answers."""

    url: str
    run_id: str
    #: where each answer is, in the order of the texts
    places: tuple[tuple[str, int], ...]

    def page_of(self, number: int) -> str:
        """The page of one answer."""
        task_id, index = self.places[number]
        which = urlencode({"task_id": task_id, "index": index})
        return f"/runs/{self.run_id}/completions?{which}"

    @property
    def pages(self) -> tuple[str, ...]:
        """The other pages on which something of the run stands."""
        runs = f"/runs/{self.run_id}"
        task_id = self.places[0][0]
        diff = urlencode({"a": self.run_id, "b": self.run_id, "task_id": task_id, "index": 3})
        compared = urlencode({"a": self.run_id, "b": self.run_id})
        return (runs, f"{runs}/grid", "/runs", "/", f"/diff?{diff}", f"/compare?{compared}")


@contextmanager
def hostile_site(directory: Path) -> Iterator[HostileSite]:
    """A server over a filled database with the run of hostile answers besides."""
    with served(directory) as server:
        runs = server.services.runs
        run_id = hostile_run(runs.database, runs.artifacts)
        places = tuple((row.task_id, row.index) for row in runs.verdict_rows(run_id))
        yield HostileSite(server.url, run_id, places)


def with_tags(site: HostileSite, paths: Iterable[str]) -> Iterator[str]:
    """The pages of these that do not answer well, or on which a text has made a tag."""
    with httpx.Client(base_url=site.url, timeout=60) as client:
        for path in paths:
            answer = client.get(path)
            found = _TAG.search(answer.text)
            if answer.status_code != 200 or found:
                yield f"{path}: {answer.status_code} {found and found[0][:200]}"


def with_traces(page: Page, site: HostileSite, paths: Iterable[str]) -> Iterator[str]:
    """The pages of these on which a text has run, became an element, or led elsewhere."""
    for path in paths:
        page.goto(site.url + path)
        has_run = page.evaluate("() => window.ran !== undefined")
        traces = page.locator(TRACES).evaluate_all("all => all.map((one) => one.outerHTML)")
        if has_run or traces or page.url != site.url + path:
            yield f"{path}: ran: {has_run}, at {page.url}, made {traces[:3]}"
