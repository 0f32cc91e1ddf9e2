"""A user's own repository as a benchmark: its snapshot, its functions, and which are fit for it."""
