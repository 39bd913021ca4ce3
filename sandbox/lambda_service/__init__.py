"""AWS Lambda for the sandbox: the real Python runtime behind a Runtime API, fed by SQS event sources."""
