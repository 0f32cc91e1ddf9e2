"""Puts the workers of another commit and of this tree on one queue, and compares what they find.

    python tests/performance/upgrade.py COMMIT [--sweeps 3] [--samples 6]

COMMIT (like HEAD~1) is checked out beside this tree and removed at the end. Needs root, as
`chaos.py` does. On a store of their own, a host with the other commit's generation and evaluation
workers and a host with this tree's take from the same queues; the controller, the schema and the
door are this tree's, because the database is upgraded first. Between sweeps the old host's workers
are asked to end and start again. Each sweep must end by itself with the completions, verdicts and
scores of an embedded run of this tree. Exit status 1 otherwise. Where the grader's label differs
between the commits, the other commit's verdicts are refused and judged again, which shows as time.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from cluster import Cluster, cluster
from recorded_sweep import RecordedSweep, doubled, found
from sweep_watch import watching

_REPOSITORY = Path(__file__).resolve().parents[2]

#: silence after which a sweep has lost something, in seconds
_PATIENCE_SECONDS = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit")
    parser.add_argument("--sweeps", type=int, default=3)
    parser.add_argument("--samples", type=int, default=6, help="answers to each challenge")
    wish = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    problems: list[str] = []
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="upgrade"))
        tree = stack.enter_context(_checkout(wish.commit))
        made = stack.enter_context(cluster(Path(place), "old", "new"))
        for queue in ("generation", "evaluation"):
            made.add_worker("old", queue, tree=tree)
            made.add_worker("new", queue)
        made.add_worker("desk", "controller")
        sweep = RecordedSweep(made.directory, n=wish.samples, nap_seconds=0.05)
        sweep.record()
        right = sweep.undisturbed()
        for number in range(1, wish.sweeps + 1):
            problems += [f"sweep {number}: {one}" for one in _wrong(made, sweep, right)]
            _restart_old(made)
    for problem in problems:
        print(problem)
    print(f"{wish.sweeps} sweeps over two versions, {len(problems)} problems")
    sys.exit(1 if problems else 0)


def _wrong(made: Cluster, sweep: RecordedSweep, right: object) -> Iterator[str]:
    began = time.monotonic()
    said = made.door(*sweep.words(), "--detach")
    assert said.code == 0, said.err
    with watching(made, said.out.split()) as watch:
        if not watch.wait_for_end(_PATIENCE_SECONDS):
            yield f"stuck at {watch.standing()}"
        if found(made.postgres.watch_url, watch.run_ids) != right:
            yield "what was found differs from the embedded run"
    yield from (
        f"{count} doubled {table}"
        for table, count in doubled(made.postgres.watch_url).items()
        if count
    )
    print(f"a sweep took {time.monotonic() - began:.1f} s", flush=True)


def _restart_old(made: Cluster) -> None:
    """As an upgrade does: the worker is asked to end, and its keeper starts it again."""
    for worker in made.workers:
        if worker.host.name == "old":
            worker.ask_to_end()


@contextmanager
def _checkout(commit: str) -> Iterator[Path]:
    """This repository at another commit."""
    with tempfile.TemporaryDirectory(prefix="commit") as place:
        tree = Path(place) / "tree"
        git = ["git", "-C", str(_REPOSITORY), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


if __name__ == "__main__":
    main()
