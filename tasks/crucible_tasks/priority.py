"""How urgent a run is among those that wait."""

#: higher goes first; 21 steps, because nobody tells more apart
PRIORITIES = range(-10, 11)
