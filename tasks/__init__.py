"""Lets `celery -A tasks worker` work from a checkout; the package is crucible_tasks."""

from crucible_tasks.celery_app import app

__all__ = ["app"]
