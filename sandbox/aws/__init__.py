"""The AWS of the sandbox: moto served over HTTP, with an overlay for what moto lacks or gets wrong."""
