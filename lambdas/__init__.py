"""AWS entry points: one package per Lambda function."""
