"""What both clouds' entry points share: errors, domain, messages, use cases and adapters."""
