"""Figures: pure functions from data to what plotly.js draws, as plain dicts, with their numbers.

Colours are names of custom properties (`--figure-1`), which `figure.js` looks up where it draws, so
that one figure serves light and dark. No text of a figure is markup: see `figure.plain`.
"""
