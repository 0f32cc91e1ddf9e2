"""Every contract has exactly one implementation, and every implementation a contract."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

#: in a process of its own: other tests register tasks of theirs
SCRIPT = """
import importlib, json, pkgutil
import crucible_tasks
from crucible_tasks.contract import Contract
from crucible_tasks.celery_app import CONTRACTS, app

written = set()
for info in pkgutil.walk_packages(crucible_tasks.__path__, "crucible_tasks."):
    module = importlib.import_module(info.name)
    written |= {value.name for value in vars(module).values() if isinstance(value, Contract)}

implemented = []
implement = Contract.implement
def counting(self, function):
    implemented.append(self.name)
    return implement(self, function)
Contract.implement = counting
app.loader.import_default_modules()

print(json.dumps({
    "written": sorted(written),
    "listed": sorted(contract.name for contract in CONTRACTS),
    "implemented": sorted(implemented),
    "registered": sorted(name for name in app.tasks if not name.startswith("celery.")),
}))
"""


def test_every_contract_has_exactly_one_implementation(crucible_home: Path) -> None:
    del crucible_home
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=100
    )
    found = json.loads(done.stdout)

    assert found["listed"] == found["written"]
    assert found["implemented"] == found["written"]
    assert found["registered"] == found["written"]
