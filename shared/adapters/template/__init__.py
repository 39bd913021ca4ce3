"""CloudFormation templates, as files: ours and those that the portal makes."""
