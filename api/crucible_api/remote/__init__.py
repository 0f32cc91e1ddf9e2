"""The services of another host's `crucible serve`, behind the interface that this host's have."""

import sys

# httpx has a command line of its own where it finds rich, and loading that takes as long as httpx
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
