"""Use cases of `rollcall doctor`: each side is asked for its facts, and what cannot be asked hides nothing else."""
