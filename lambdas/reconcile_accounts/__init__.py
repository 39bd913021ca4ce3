"""The daily comparison: every account and every stack instance → messages to the queues of the path."""
