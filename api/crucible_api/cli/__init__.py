"""The command line: `crucible` and its commands, one module each."""
