"""A colleague's browser, which reaches the server by a name and plain http, logs in."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

import browser
from crucible_api.http.guard import Rules
from crucible_api.http.tries import Tries
from served import answering, open_filled_services

TOKEN = "a-token-of-the-test"


@pytest.mark.parametrize("width", [375, 1280])
def test_a_login_over_plain_http_leads_where_one_wanted_to_go(
    tmp_path: Path, chromium: Browser, width: int
) -> None:
    services = open_filled_services(tmp_path)
    rules = Rules(None, lambda token: token == TOKEN, Tries(seconds=0.0))
    with answering(services, rules) as url, browser.opened(chromium, width) as page:
        place = f"{url.replace('127.0.0.1', browser.NAME)}/runs?model=nano&state=finished"
        page.goto(place)
        for token, told in (("wrong", "not one of the server's tokens"), (TOKEN, "No run")):
            page.get_by_label("Token").fill(token)
            page.get_by_role("button", name="Log in").click()
            page.get_by_text(told).first.wait_for(timeout=10_000)
        assert page.url == place
    services.runs.database.close()
