"""Runs a sweep on three separate hosts, and shows that Flower and Prometheus saw every task of it.

    python tests/performance/seen_sweep.py [--models 3] [--challenges 164] [--samples 20]

Needs root, as `chaos.py` does, and `pip install codecrucible[cluster]`. Three hosts in network
namespaces of their own, each with a generation and an evaluation worker, a desk with the
controller and Flower, and a store with Redis and Postgres. What the sweep found must be what one
process finds, bit for bit. The tasks that ended well are counted three times: by Flower, by the
metrics of the workers, read as Prometheus reads them, and by the database. Exit status 1 when they
differ.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from prometheus_client.parser import text_string_to_metric_families

from cluster import DESK, Cluster, Worker, cluster
from commandline import PROGRAM
from hosts import Host
from recorded_sweep import RecordedSweep, doubled, found
from sweep_watch import watching

_HOSTS = ("left", "middle", "right")

#: the first worker's page on each host, and of those that follow
_METRICS_PORT, _FLOWER_PORT = 9464, 5555

#: silence after which a sweep has lost something, in seconds
_PATIENCE_SECONDS = 120.0

#: Flower is told of a task a moment after it ended
_LAST_SECONDS = 15.0

#: what is compared; reconciles come by the clock
_CONTRACTS = (
    "crucible.generate",
    "crucible.evaluate",
    "crucible.store_completions",
    "crucible.store_verdicts",
)

_FETCH = """
import base64, sys, urllib.request
url, login = sys.argv[1:]
request = urllib.request.Request(url)
request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""

Tasks = Counter[str]


def main() -> None:
    wish = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="seen") as place, cluster(Path(place), *_HOSTS) as made:
        workers = list(_add_workers(made))
        with _flower(made):
            sys.exit(1 if _run(made, workers, wish) else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--challenges", type=int, default=164)
    parser.add_argument("--samples", type=int, default=20, help="answers to each challenge")
    return parser


def _add_workers(made: Cluster) -> Iterator[tuple[Worker, int]]:
    """Each worker, and the port of its metrics."""
    chosen = [(host, queue) for host in _HOSTS for queue in ("generation", "evaluation")]
    for place, (host, queue) in enumerate([*chosen, (DESK, "controller")]):
        port = _METRICS_PORT + place
        yield made.add_worker(host, queue, CRUCIBLE_METRICS_PORT=str(port)), port


@contextmanager
def _flower(made: Cluster) -> Iterator[None]:
    # on loopback, its API is closed for want of a password
    words = [*PROGRAM, "flower", "--port", str(_FLOWER_PORT), "--address", "0.0.0.0"]
    log = (made.directory / "flower.log").open("wb")
    desk = made.network.hosts[DESK]
    with log:
        child = desk.start(words, env=made.environment(DESK), stdout=log, stderr=log)
        try:
            yield
        finally:
            child.terminate()
            child.wait()


def _run(made: Cluster, workers: list[tuple[Worker, int]], wish: argparse.Namespace) -> int:
    size = {"models": wish.models, "challenges": wish.challenges, "n": wish.samples}
    sweep = RecordedSweep(made.directory, **size)
    sweep.record()
    print(f"a sweep of {sweep.size} completions on {len(_HOSTS)} hosts", flush=True)
    right = sweep.undisturbed()
    began = time.monotonic()
    said = made.door(*sweep.words(), "--detach")
    assert said.code == 0, said.err
    with watching(made, said.out.split()) as watch:
        assert watch.wait_for_end(_PATIENCE_SECONDS), watch.standing()
    print(f"it took {time.monotonic() - began:.1f} s")
    problems = 0
    if found(made.postgres.watch_url, watch.run_ids) != right:
        problems += 1
        print("what was found differs from the embedded run")
    problems += sum(map(bool, doubled(made.postgres.watch_url).values()))
    return problems + _compare(made, workers)


def _compare(made: Cluster, workers: list[tuple[Worker, int]]) -> int:
    """Print who saw how many tasks; returns how many lines differ."""
    deadline = time.monotonic() + _LAST_SECONDS
    while True:
        scraped, seen = _scraped(workers), _seen(made)
        if scraped == seen or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    print(f"{'tasks that succeeded':28} {'metrics':>8} {'Flower':>8}")
    for name in _CONTRACTS:
        print(f"{name:28} {scraped[name]:8} {seen[name]:8}")
    # every question was answered and every answer stored
    pairs = ("crucible.generate", "store_completions"), ("crucible.evaluate", "store_verdicts")
    unequal = sum(seen[asked] != seen[f"crucible.{stored}"] for asked, stored in pairs)
    return unequal + sum(scraped[name] != seen[name] or not seen[name] for name in _CONTRACTS)


def _scraped(workers: list[tuple[Worker, int]]) -> Tasks:
    counted: Tasks = Counter()
    for worker, port in workers:
        page = _fetch(worker.host, f"http://127.0.0.1:{port}/metrics")
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                is_good = sample.labels.get("outcome") == "succeeded"
                if sample.name == "crucible_tasks_total" and is_good:
                    counted[sample.labels["contract"]] += int(sample.value)
    return Counter({name: counted[name] for name in _CONTRACTS})


def _seen(made: Cluster) -> Tasks:
    login = (made.directory / DESK / "flower" / "basic-auth").read_text().strip()
    url = f"http://127.0.0.1:{_FLOWER_PORT}/api/tasks?limit=100000"
    page = _fetch(made.network.hosts[DESK], url, login)
    tasks = json.loads(page).values()
    counted = Counter(task["name"] for task in tasks if task["state"] == "SUCCESS")
    return Counter({name: counted[name] for name in _CONTRACTS})


def _fetch(host: Host, url: str, login: str = "") -> str:
    child = host.start([sys.executable, "-c", _FETCH, url, login], stdout=subprocess.PIPE)
    out, _ = child.communicate(timeout=_PATIENCE_SECONDS)
    assert child.returncode == 0, url
    return out.decode()


if __name__ == "__main__":
    main()
