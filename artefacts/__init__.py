"""What `make build` hands over: each artefact's zip, its bill of materials, its licences, and whether it may go out."""
