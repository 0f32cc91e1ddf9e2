"""What runs inside a prison: standard library only, imported before the host disappears."""
