"""The policy as people write it, and the places that it is read from."""
