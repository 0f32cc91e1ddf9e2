"""Loaded by the workers of a test before all else: shorter waits than a real cluster needs.

Somebody dead is noticed after ten seconds instead of forty. It is still ten times what a living
worker lets pass between two signs of life, so that a busy machine kills nobody.
"""

from __future__ import annotations

from crucible_tasks import celery_app, membership, roster
from crucible_workers import control_leases, fine_tune

roster.GONE_SECONDS = 10
membership.BEAT_SECONDS = 1.0
celery_app.RECONCILE_SECONDS = 2.0
control_leases.SILENT_SECONDS = 10.0
fine_tune._SIGN_SECONDS = 1.0
