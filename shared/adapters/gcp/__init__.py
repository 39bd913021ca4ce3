"""Google Cloud, by its REST interfaces; who we are there is a managed identity of Azure, exchanged."""
