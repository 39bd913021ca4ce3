"""What the clouds allow at best, from a run's journal and settings alone: nothing of Rollcall is imported here."""
