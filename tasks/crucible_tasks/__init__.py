"""The work: what can be asked, and how answers are marked."""
