"""The doors: every way in."""
