"""Lets `python -m crucible_api` do what `crucible` does."""

import sys

from crucible_api.entry import main

sys.exit(main())
