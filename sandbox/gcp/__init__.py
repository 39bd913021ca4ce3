"""Google Cloud on loopback: one organization, as far as Rollcall asks for it."""
