"""What `rollcall doctor` looks at, and what the facts come to; it asks nobody itself."""
