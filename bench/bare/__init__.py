"""What ours is held against: the same SDKs, the same clients, the same calls, and nothing of Rollcall."""
