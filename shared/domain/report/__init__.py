"""What the operator's report says, as values made by pure functions."""
