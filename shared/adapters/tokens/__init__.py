"""Bearer tokens that others bring: verified here, in code."""
