"""Account events: Organizations → EventBridge → SQS → StackSet."""
