"""The HTTP door: one server for the API, and for the pages that stand on the same services."""
