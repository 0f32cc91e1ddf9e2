"""The doctor's words: what holds, what does not, and the exit code that says so."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from click.testing import CliRunner, Result

from crucible_api.cli import doctor
from crucible_infra.errors import BrokerUnavailable, CrucibleError
from crucible_tasks.evaluation import BuildingBlock, HostCheck, HostReport

WALLS = HostCheck("sandbox", is_ok=True, detail="namespaces")
HELD = HostCheck("reads /proc", is_ok=True, detail="passed", topic="files", language="python")
OPEN = HostCheck("fork bomb", is_ok=False, detail="failed", topic="resources", language="python")
BLOCKS = (
    BuildingBlock("seccomp filter", is_there=True, is_needed=True, found="works"),
    BuildingBlock("landlock", is_there=False, is_needed=False, found="absent"),
    BuildingBlock("mount namespace", is_there=False, is_needed=True, found="refused"),
)


def examined(
    monkeypatch: pytest.MonkeyPatch, report: HostReport | CrucibleError, *words: str
) -> Result:
    """What `crucible doctor --sandbox` does with this report."""

    def ask(_voice: object, *, is_detailed: bool) -> HostReport:
        assert is_detailed
        if isinstance(report, CrucibleError):
            raise report
        return report

    monkeypatch.setattr(doctor, "_ask", ask)
    return CliRunner().invoke(doctor.command, ["--sandbox", *words], standalone_mode=False)


def test_every_check_and_building_block_has_a_line(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    said = examined(monkeypatch, HostReport("vm", (WALLS, HELD), blocks=BLOCKS))

    lines = [line.split() for line in said.stdout.splitlines()]
    assert ["there", "seccomp", "filter", "works"] in lines
    assert ["absent", "landlock", "absent"] in lines
    assert ["MISSING", "mount", "namespace", "refused"] in lines
    assert ["held", "files", "python", "reads", "/proc", "passed"] in lines
    assert said.exception is None


def test_what_does_not_hold_is_named_and_fails(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    said = examined(monkeypatch, HostReport("vm", (WALLS, HELD, OPEN), blocks=BLOCKS))

    assert "NOT HELD" in said.stdout
    assert isinstance(said.exception, CrucibleError)
    assert said.exception.message == "1 problem: fork bomb"
    assert said.exception.exit_code == 1


def test_json_carries_the_whole_report(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    said = examined(monkeypatch, HostReport("vm", (WALLS, OPEN), blocks=BLOCKS), "--json")

    found = json.loads(said.stdout)
    assert (found["is_ok"], found["host"]) == (False, "vm")
    assert [check["name"] for check in found["checks"]] == ["sandbox", "fork bomb"]
    assert found["blocks"][1] == asdict(BLOCKS[1])


def test_a_host_that_cannot_judge_still_shows_what_it_lacks(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    report = HostReport("vm", (), problem="cannot be built", hint="do this", blocks=BLOCKS)
    said = examined(monkeypatch, report)

    assert "MISSING" in said.stdout
    assert isinstance(said.exception, CrucibleError)
    assert (said.exception.message, said.exception.hint) == ("cannot be built", "do this")
    assert json.loads(examined(monkeypatch, report, "--json").stdout)["is_ok"] is False


def test_a_worker_that_does_not_answer_is_the_error(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    said = examined(monkeypatch, BrokerUnavailable("redis://x: refused"))

    assert isinstance(said.exception, BrokerUnavailable)
