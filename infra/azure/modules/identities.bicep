// Who the Function App is, and who the Lambda functions become. Neither has a secret.
param location string
param name string
param awsIssuer string
param awsManagementAccountId string
param awsStackName string

// Each has a role of its own, named by infra/aws/template.yaml; the role's ARN is the subject of its tokens.
var lambdas = [
  'account-events'
  'stack-events'
  'reconcile-accounts'
]
var trusted = empty(awsIssuer) ? [] : lambdas

resource functions 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-functions'
  location: location
}

resource sender 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-lambda-queue-sender'
  location: location
}

// One after another: Entra refuses credentials of one identity that are written at the same time.
@batchSize(1)
resource trusts 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = [for lambda in trusted: {
  parent: sender
  name: lambda
  properties: {
    issuer: awsIssuer
    subject: 'arn:aws:iam::${awsManagementAccountId}:role/${awsStackName}-${lambda}'
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}]

output functionsId string = functions.id
output functionsPrincipalId string = functions.properties.principalId
output functionsClientId string = functions.properties.clientId
output senderPrincipalId string = sender.properties.principalId
output senderClientId string = sender.properties.clientId
