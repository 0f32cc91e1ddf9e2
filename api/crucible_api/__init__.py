"""The doors: every way in."""

#: the one place this number is written by hand besides pyproject.toml; a test compares them
__version__ = "0.1.0"
