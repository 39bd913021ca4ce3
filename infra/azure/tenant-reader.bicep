// Reader at the tenant root management group, for Resource Graph: it leaves out, without a word, what one may not read.
// Apart from main.bicep, since few may assign roles there: az deployment mg create --management-group-id TENANT …
targetScope = 'managementGroup'

@description('Output functionsPrincipalId of main.bicep.')
param functionsPrincipalId string

var reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(managementGroup().id, functionsPrincipalId, reader)
  properties: {
    roleDefinitionId: tenantResourceId('Microsoft.Authorization/roleDefinitions', reader)
    principalId: functionsPrincipalId
    principalType: 'ServicePrincipal'
    description: 'Rollcall: connectors of the whole tenant, state of subscriptions'
  }
}
