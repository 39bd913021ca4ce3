"""Pure values and decisions; nothing here knows a cloud's SDK, a clock or a network."""
