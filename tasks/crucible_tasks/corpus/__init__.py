"""A corpus: a source tree as training examples, and a report of everything that was left out."""
