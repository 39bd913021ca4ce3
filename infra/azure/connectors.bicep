// A place of connectors: its resource group, and what the Function App may do there. main.bicep makes the first one;
// deploy this file by itself for each further subscription or resource group that the policy names as a target.
targetScope = 'subscription'

@description('Where the resource group is made; of one that is there, its own location.')
param location string = deployment().location

@description('target.resource_group of the policy.')
param resourceGroupName string = 'rg-defender-connectors'

@description('Output functionsPrincipalId of main.bicep.')
param functionsPrincipalId string

@description('Security Admin for the whole subscription, besides the role with the least actions.')
param securityAdmin bool = false

@description('Whether the policy says `deletions: {orphaned_machines: true}`.')
param deleteOrphanedMachines bool = false

@description('Whether a profile has Azure Arc or full Defender CSPM, for which Defender wants an Owner. Whoever may assign roles may give itself any.')
param assignRoles bool = false

var securityAdminRole = 'fb1c8493-542b-48eb-b624-b4c8fea62acd'

// Whatever else is only read comes with Reader at the tenant root.
var connectorActions = [
  'Microsoft.Security/securityConnectors/read'
  'Microsoft.Security/securityConnectors/write'
  'Microsoft.Security/securityConnectors/delete'
  'Microsoft.Security/securityStandards/read'
  'Microsoft.Security/standardAssignments/read'
  'Microsoft.Security/standardAssignments/write'
  'Microsoft.Security/governanceRules/read'
  'Microsoft.Security/governanceRules/write'
]
var machineActions = [
  'Microsoft.HybridCompute/machines/read'
  'Microsoft.HybridCompute/machines/delete'
]
var ownerActions = [
  'Microsoft.Authorization/roleAssignments/write'
]

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: resourceGroupName
  location: location
}

// Names of roles are unique in a tenant, hence the ids in them.
resource connectorsRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(group.id, 'rollcall-connectors')
  properties: {
    roleName: 'Rollcall connectors in ${resourceGroupName} of ${subscription().subscriptionId}'
    description: 'Makes, changes and takes away connectors of Defender for Cloud, their standards and governance rules'
    type: 'CustomRole'
    permissions: [
      {
        actions: concat(connectorActions, deleteOrphanedMachines ? machineActions : [], assignRoles ? ownerActions : [])
        notActions: []
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

// Registering is an action of subscriptions; it is asked for where Microsoft.Security is not registered, and never else.
resource registrationRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, 'rollcall-registration')
  properties: {
    roleName: 'Rollcall registration of ${subscription().subscriptionId}'
    description: 'Registers the subscription for Microsoft.Security'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Security/register/action'
        ]
        notActions: []
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

resource registration 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, functionsPrincipalId, 'rollcall-registration')
  properties: {
    roleDefinitionId: registrationRole.id
    principalId: functionsPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource admin 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (securityAdmin) {
  name: guid(subscription().id, functionsPrincipalId, securityAdminRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', securityAdminRole)
    principalId: functionsPrincipalId
    principalType: 'ServicePrincipal'
  }
}

module assignment 'modules/group-assignment.bicep' = {
  name: 'rollcall-connectors-role'
  scope: group
  params: {
    roleDefinitionId: connectorsRole.id
    principalId: functionsPrincipalId
  }
}
