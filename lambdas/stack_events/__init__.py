"""Stack events: CloudFormation → EventBridge → SQS → the Storage queue on Azure."""
