"""Receivers of notices: a channel of Microsoft Teams, and any webhook."""
