"""Azure Resource Graph: one query instead of a thousand reads."""
