"""Azure entry points: one blueprint per trigger."""
