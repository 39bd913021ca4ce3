"""One module for each thing that is measured; `measure` returns a Result."""
