"""A database that is away is told as such, and asked again when it is back."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from served import answering, open_filled_services


def test_a_database_that_is_away_is_a_problem_until_it_is_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    services = open_filled_services(tmp_path)
    database, aside = tmp_path / "crucible.db", tmp_path / "aside"
    with answering(services) as url:
        assert httpx.get(f"{url}/api/v1/runs").status_code == 200
        services.runs.database.close()
        database.rename(aside)
        database.mkdir()
        answer = httpx.get(f"{url}/api/v1/runs")
        page = httpx.get(f"{url}/runs")
        assert httpx.get(f"{url}/api/v1/version").status_code == 200
        database.rmdir()
        aside.rename(database)
        assert httpx.get(f"{url}/api/v1/runs").status_code == 200
    services.runs.database.close()
    assert answer.status_code == page.status_code == 503
    assert answer.json()["type"] == "urn:codecrucible:database-unavailable"
    assert "text/html" in page.headers["content-type"]
    assert "Traceback" not in capfd.readouterr().err
