// What Lambda functions and operators reach over the internet, with Entra tokens only: queues, ledger, policy, reports.
param location string
param name string
param storageSku string
param functionsPrincipalId string
param senderPrincipalId string
param operatorsGroupId string
param workspaceId string

var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var queueMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
var tableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
var tableDataReader = '76199698-9eea-4c19-bc75-cec21354c6b6'
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var blobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'

// The poison queues, too: the host would make them when it needs them, and until then nobody could watch them.
var queueNames = [
  'onboarding'
  'onboarding-poison'
  'sweep'
  'sweep-poison'
]
var tableNames = [
  'accounts'
  'history'
  'pacing'
  'parked'
  'sweeps'
]
var ofFunctions = [
  queueDataContributor
  tableDataContributor
]
var ofOperators = [
  queueDataContributor
  tableDataReader
]
var operatorsOfAccount = empty(operatorsGroupId) ? [] : ofOperators

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  kind: 'StorageV2'
  sku: {
    name: storageSku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: 'Enabled' // Lambda functions have no fixed addresses
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Allow'
    }
  }
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [for queue in queueNames: {
  parent: queueService
  name: queue
}]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = [for table in tableNames: {
  parent: tableService
  name: table
}]

// Versions: an overwritten policy, or a report, can be had back.
resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: 30
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource policyContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobService
  name: 'policy'
  properties: {
    publicAccess: 'None'
  }
}

resource sweepsContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobService
  name: 'sweeps'
  properties: {
    publicAccess: 'None'
  }
}

// Sweeps rewrite documents every day; their old versions are of no use to anybody.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'old-versions-of-sweeps'
          enabled: true
          type: 'Lifecycle'
          definition: {
            actions: {
              version: {
                delete: {
                  daysAfterCreationGreaterThan: 30
                }
              }
            }
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'sweeps/'
              ]
            }
          }
        }
      ]
    }
  }
  dependsOn: [
    blobService
  ]
}

resource functionsRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in ofFunctions: {
  name: guid(account.id, functionsPrincipalId, role)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    principalId: functionsPrincipalId
    principalType: 'ServicePrincipal'
  }
}]

resource functionsReadPolicy 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(policyContainer.id, functionsPrincipalId, blobDataReader)
  scope: policyContainer
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataReader)
    principalId: functionsPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource functionsWriteSweeps 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(sweepsContainer.id, functionsPrincipalId, blobDataContributor)
  scope: sweepsContainer
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: functionsPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The Lambda functions may put messages on one queue, and nothing else.
resource senderRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(queues[0].id, senderPrincipalId, queueMessageSender)
  scope: queues[0]
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueMessageSender)
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource operatorsRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in operatorsOfAccount: {
  name: guid(account.id, operatorsGroupId, role)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    principalId: operatorsGroupId
    principalType: 'Group'
  }
}]

resource operatorsPublishPolicy 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorsGroupId)) {
  name: guid(policyContainer.id, operatorsGroupId, blobDataContributor)
  scope: policyContainer
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: operatorsGroupId
    principalType: 'Group'
  }
}

resource operatorsReadSweeps 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorsGroupId)) {
  name: guid(sweepsContainer.id, operatorsGroupId, blobDataReader)
  scope: sweepsContainer
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataReader)
    principalId: operatorsGroupId
    principalType: 'Group'
  }
}

// Who put which message, published which policy, changed which row.
resource queueAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: queueService
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageRead'
        enabled: true
      }
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

resource blobAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: blobService
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

resource tableAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: tableService
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

output name string = account.name
output queueServiceUri string = 'https://${account.name}.queue.${environment().suffixes.storage}'
output tableServiceUri string = 'https://${account.name}.table.${environment().suffixes.storage}'
output blobServiceUri string = 'https://${account.name}.blob.${environment().suffixes.storage}'
