"""The ground: settings, errors, log, database and artifacts."""
