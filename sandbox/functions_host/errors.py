"""Why the host does not start."""


class HostRefusalError(Exception):
    """The app asks for something that is wrong or that this host does not know; the message says what."""
