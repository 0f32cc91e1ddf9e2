"""Judging JavaScript: Node processes behind the same walls as Python programs."""
