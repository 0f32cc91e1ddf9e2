"""A sweep on hosts with addresses of their own finds what one process finds, also through a cut."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import Cluster, cluster
from crucible_infra import settings
from hosts import Host
from recorded_sweep import RecordedSweep, doubled, found
from services import ServiceMissing
from sweep_watch import watching

#: longer than every time-out of a socket, so that the cut is noticed on both sides
CUT_SECONDS = 6.0

#: a sweep takes some seconds; one that is silent for so long has lost something
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    """Two hosts that sample and judge, a desk, and a store, each behind an address of its own."""
    # not pytest's own, which is private: Postgres runs as another user
    try:
        with tempfile.TemporaryDirectory() as place, cluster(Path(place), "left", "right") as made:
            for host in ("left", "right"):
                made.add_worker(host, "generation")
                made.add_worker(host, "evaluation")
            made.add_worker("desk", "controller")
            yield made
    except ServiceMissing as error:
        # who is not root can make no hosts, also where everything must be there
        if settings.read(os.environ).is_ci and os.geteuid() == 0:
            pytest.fail(str(error))
        pytest.skip(str(error))


def test_a_sweep_over_a_cut_link_finds_what_one_process_finds(
    hosts: Cluster, tmp_path: Path
) -> None:
    sweep = RecordedSweep(tmp_path, challenges=5, n=3, nap_seconds=0.1)
    sweep.record()
    begun = hosts.door(*sweep.words(), "--detach")
    assert begun.code == 0, begun.err
    with watching(hosts, begun.out.split()) as watch:
        watch.wait_for_completions(PATIENCE_SECONDS, wanted=sweep.size)
        assert watch.latest.open_runs, "it was over before anything happened to it"
        hosts.network.hosts["right"].cut()
        cut_at = time.monotonic()
        undisturbed = sweep.undisturbed()
        time.sleep(max(cut_at + CUT_SECONDS - time.monotonic(), 0))
        hosts.network.heal()
        assert watch.wait_for_end(PATIENCE_SECONDS), watch.standing()
    assert found(hosts.postgres.watch_url) == undisturbed
    assert doubled(hosts.postgres.watch_url) == {"completions": 0, "verdicts": 0}


def test_a_cut_host_reaches_nobody_until_it_is_healed(hosts: Cluster) -> None:
    # else the test above has cut nothing
    right = hosts.network.hosts["right"]
    store = (hosts.network.hosts["store"].address, 6379)
    assert _reaches(right, store)
    for sever in (right.cut, right.pull):
        sever()
        assert not _reaches(right, store)
        hosts.network.heal()
        assert _reaches(right, store)


def _reaches(host: Host, place: tuple[str, int]) -> bool:
    script = f"import socket; socket.create_connection({place!r}, timeout=1).close()"
    return host.start([sys.executable, "-c", script], stderr=subprocess.DEVNULL).wait() == 0
