"""Azure on one computer: Entra, managed identities, Resource Manager, Resource Graph and real Azurite storage."""
