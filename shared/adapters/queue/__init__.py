"""The Azure Storage queue between the clouds."""
