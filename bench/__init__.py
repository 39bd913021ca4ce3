"""The benchmarks: what Rollcall costs and how near it comes to what the clouds allow."""
