"""The ledger and the pacing cells in Azure Table Storage."""
