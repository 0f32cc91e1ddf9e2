"""The migrations, numbered by their `revision`."""
