"""The versioned messages that the two clouds exchange, with their JSON Schemas in `schemas/`."""
