"""`make deploy-…`: what is to be changed in each cloud is shown first, and done with APPLY=1 only."""
