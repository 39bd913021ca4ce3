"""One package per outside system: the only places that know an SDK and translate its errors."""
