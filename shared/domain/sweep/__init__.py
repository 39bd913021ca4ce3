"""The daily roll call: what is looked at, what is found, and what becomes of a finding from day to day."""
