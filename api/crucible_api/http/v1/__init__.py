"""Version 1 of the HTTP API, one module per noun of the glossary."""
