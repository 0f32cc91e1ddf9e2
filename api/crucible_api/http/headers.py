"""Headers: what a browser may do with an answer of ours, whatever it says."""

from __future__ import annotations

#: nothing but this server's own files, and nobody may frame them
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # with "no-referrer" browsers hide from this server, too, which of its pages sends a form
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

#: of what a database holds today, which is not what it holds tomorrow
NOT_KEPT = "no-store"
