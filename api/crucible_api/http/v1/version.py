"""The version over HTTP: who answers; a check of the server's health, too."""

from __future__ import annotations

from crucible_api import __version__
from crucible_api.http.forms import Version
from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving

router = api_router("version")


@router.get("")
def show_version(serving: Serving) -> Version:
    """Tell which version answers, and whether it does the work itself."""
    return Version(__version__, serving.settings.is_embedded)
