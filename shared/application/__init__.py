"""One file per use case: a function that takes its ports and a message and returns an outcome."""
