"""What all Azure services share: credentials without secrets, and errors by status and code."""
