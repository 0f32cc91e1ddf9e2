"""The host's report: every topic, what does not hold by name, and a loud word without isolation."""

from __future__ import annotations

import pytest

from crucible_infra import settings
from crucible_tasks.evaluation import BuildingBlock, HostCheck, HostReport, HostRequest
from crucible_tasks.verdict import Outcome
from crucible_workers import check_host
from crucible_workers.sandbox.self_check import CHECKS, Check

PROGRAM = "def double(x): return 2 * x"
HOLDS = Check("holds", "verdict", PROGRAM, "assert double(1) == 2", is_universal=True)
BREAKS = Check("breaks", "files", PROGRAM, "assert double(1) == 3", is_universal=True)
WALLS = Check("walls", "kernel", PROGRAM, "assert double(1) == 2")


@pytest.fixture
def bare_host(crucible_home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without isolation, and three checks."""
    assert crucible_home
    monkeypatch.setenv("CRUCIBLE_SANDBOX", "process")
    monkeypatch.setattr(check_host, "CHECKS", (HOLDS, BREAKS, WALLS))
    settings.current.cache_clear()


@pytest.fixture
def report(bare_host: None) -> dict[str, HostCheck]:
    """By topic."""
    assert bare_host is None
    found = check_host.check_host(HostRequest())
    assert found.host
    assert found.blocks == ()
    return {check.name: check for check in found.checks}


@pytest.fixture
def detailed(bare_host: None) -> HostReport:
    """By name."""
    assert bare_host is None
    return check_host.check_host(HostRequest(is_detailed=True))


def test_a_detailed_report_names_every_check_with_its_topic_and_language(
    detailed: HostReport,
) -> None:
    _, holds, breaks = detailed.checks

    assert (holds.name, holds.is_ok, holds.topic, holds.language) == (
        *("holds", True, "verdict", "python"),
    )
    assert (breaks.name, breaks.is_ok, breaks.topic) == ("breaks", False, "files")
    assert breaks.detail.startswith("failed: ")
    assert breaks.detail.endswith("(holds when passed)")


def test_a_detailed_report_names_the_building_blocks(detailed: HostReport) -> None:
    blocks = {block.name: block for block in detailed.blocks}

    assert blocks["kernel"].found.startswith("Linux ")
    assert {"user namespace", "seccomp filter", "landlock", "memory cgroup"} <= set(blocks)
    assert not any(block.is_needed for block in blocks.values())


def test_a_missing_building_block_that_is_needed_is_a_problem(
    bare_host: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bare_host is None
    gone = BuildingBlock("mount namespace", is_there=False, is_needed=True, found="forbidden")
    spare = BuildingBlock("landlock", is_there=False, is_needed=False, found="absent")
    monkeypatch.setattr(check_host, "find_blocks", lambda _backend: (gone, spare))

    found = check_host.check_host(HostRequest(is_detailed=True))

    assert HostCheck("mount namespace", is_ok=False, detail="forbidden") in found.checks
    assert not any(check.name == "landlock" for check in found.checks)


def test_no_isolation_is_never_fine(report: dict[str, HostCheck]) -> None:
    assert not report["sandbox"].is_ok
    assert "NO isolation" in report["sandbox"].detail


def test_what_holds_is_counted(report: dict[str, HostCheck]) -> None:
    check = report["verdicts cannot be forged"]

    assert (check.is_ok, check.detail) == (True, "1 of 1 checks hold")


def test_what_does_not_hold_is_named_with_its_outcome(report: dict[str, HostCheck]) -> None:
    check = report["programs see no file of the host"]

    assert (check.is_ok, check.detail) == (False, "0 of 1 checks hold; not: breaks (failed)")


def test_a_topic_without_a_check_is_not_called_fine(report: dict[str, HostCheck]) -> None:
    assert not report["programs make no dangerous system call"].is_ok


def test_an_unknown_backend_is_a_reason_not_a_crash(
    crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    monkeypatch.setenv("CRUCIBLE_SANDBOX", "magic")
    settings.current.cache_clear()

    report = check_host.check_host(HostRequest(is_detailed=True))

    assert report.checks == ()
    assert report.blocks
    assert "magic" in (report.problem or "")
    assert "namespaces" in (report.hint or "")


def test_every_check_has_a_topic_of_the_report() -> None:
    assert {check.topic for check in CHECKS} == set(check_host._TOPICS)


def test_every_check_expects_an_outcome_that_enters_n() -> None:
    ours = {outcome for outcome in Outcome if outcome.is_ours}

    assert all(check.expected and not check.expected & ours for check in CHECKS)
