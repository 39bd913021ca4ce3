"""AWS: the organization, its StackSet, its events and its tokens for other clouds."""
