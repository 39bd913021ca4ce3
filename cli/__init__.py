"""The `rollcall` command: one file per group of commands."""
