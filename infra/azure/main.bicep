// Rollcall on Azure: everything but Reader at the tenant root (tenant-reader.bicep) and further places of connectors
// (connectors.bicep). Deployed to the subscription that holds the first of these places; see docs/guides/azure.md.
targetScope = 'subscription'

@description('Where everything is made. Flex Consumption with Python 3.13 has to be there.')
param location string = deployment().location

@minLength(3)
@maxLength(8)
@description('What names begin with: small letters and digits.')
param name string = 'rollcall'

@description('The resource group of Rollcall itself.')
param resourceGroupName string = 'rg-rollcall'

@description('The resource group of connectors: target.resource_group of the policy.')
param connectorsResourceGroupName string = 'rg-defender-connectors'

@description('Where that group is made, or is already: a group keeps its location.')
param connectorsLocation string = location

@description('IssuerIdentifier of the management account; empty: no Lambda function is let in yet.')
param awsIssuer string = ''

@description('The management account, 12 digits; empty: nothing of AWS is swept.')
param awsManagementAccountId string = ''

@description('The stack of infra/aws/template.yaml, after which its roles are named.')
param awsStackName string = 'rollcall'

@description('StackSetName of infra/aws/template.yaml.')
param stackSetName string = 'rollcall-member-roles'

@description('ReaderRoleName of infra/aws/reader-role.yaml.')
param readerRole string = 'rollcall-reader'

@description('Id URI of the Entra application for tokens that AWS takes: Audience of infra/aws/reader-hub.yaml.')
param awsAudience string = 'api://rollcall-aws'

@description('Number of the management project of infra/gcp; empty: no GCP.')
param gcpManagementProjectNumber string = ''

@description('Id of the same project.')
param gcpManagementProjectId string = ''

@description('Id URI of the Entra application for tokens that Google takes: token_resource of infra/gcp.')
param gcpTokenResource string = 'api://rollcall-gcp'

@description('push_audience of infra/gcp.')
param gcpPushAudience string = 'rollcall-project-events'

@description('Client id of the Entra application whose operators may use replay over HTTP; empty: nobody.')
param operatorsAudience string = ''

@description('Object id of an Entra group whose members operate Rollcall from a shell; empty: no rights are given.')
param operatorsGroupId string = ''

@description('Whether a key vault is made for the addresses of who is told of sweeps: docs/guides/notifications.md.')
param notifyVault bool = false

@description('When the daily sweep begins: six fields, UTC.')
param sweepSchedule string = '0 0 5 * * *'

@description('More settings of the Function App, or other values of those that are set; docs/operations.md, section 4.')
param appSettings object = {}

@description('Whether the storage of the Functions host is reached through a private endpoint only.')
param privateHost bool = true

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
@description('Copies of both storage accounts. Regions without zones have no ZRS.')
param storageSku string = 'Standard_ZRS'

@minValue(40)
@maxValue(1000)
@description('Instances at most, of all functions together. Writes are paced, so more than 40 would wait for turns.')
param maximumInstanceCount int = 40

@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Instances that are always there, as {name, instanceCount}: name is `http` or `function:NAME`.')
param alwaysReady array = []

@minValue(30)
@maxValue(730)
@description('For how many days logs are kept.')
param logRetentionDays int = 90

@description('Who is told of alarms; empty: nobody by e-mail.')
param alertEmail string = ''

@description('Action groups of yours that are told, too.')
param actionGroupIds array = []

@description('Security Admin for the subscription of connectors, besides the role with the least actions.')
param securityAdmin bool = false

@description('Whether the policy says `deletions: {orphaned_machines: true}`.')
param deleteOrphanedMachines bool = false

@description('Whether a profile has Azure Arc or full Defender CSPM, for which Defender wants an Owner. Whoever may assign roles may give itself any.')
param assignRoles bool = false

var unique = take(uniqueString(subscription().id, name), 10)

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: resourceGroupName
  location: location
}

module identities 'modules/identities.bicep' = {
  name: 'rollcall-identities'
  scope: group
  params: {
    location: location
    name: name
    awsIssuer: awsIssuer
    awsManagementAccountId: awsManagementAccountId
    awsStackName: awsStackName
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'rollcall-monitoring'
  scope: group
  params: {
    location: location
    name: name
    logRetentionDays: logRetentionDays
    functionsPrincipalId: identities.outputs.functionsPrincipalId
  }
}

module network 'modules/network.bicep' = if (privateHost) {
  name: 'rollcall-network'
  scope: group
  params: {
    location: location
    name: name
  }
}

module hostStorage 'modules/host-storage.bicep' = {
  name: 'rollcall-host-storage'
  scope: group
  params: {
    location: location
    name: '${name}host${unique}'
    storageSku: storageSku
    functionsPrincipalId: identities.outputs.functionsPrincipalId
    workspaceId: monitoring.outputs.workspaceId
    endpointSubnetId: privateHost ? network!.outputs.endpointSubnetId : ''
    blobZoneId: privateHost ? network!.outputs.blobZoneId : ''
  }
}

module intakeStorage 'modules/intake-storage.bicep' = {
  name: 'rollcall-intake-storage'
  scope: group
  params: {
    location: location
    name: '${name}intake${unique}'
    storageSku: storageSku
    functionsPrincipalId: identities.outputs.functionsPrincipalId
    senderPrincipalId: identities.outputs.senderPrincipalId
    operatorsGroupId: operatorsGroupId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/notify-vault.bicep' = if (notifyVault) {
  name: 'rollcall-notify-vault'
  scope: group
  params: {
    location: location
    name: '${name}-${unique}'
    functionsPrincipalId: identities.outputs.functionsPrincipalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: 'rollcall-function-app'
  scope: group
  params: {
    location: location
    name: '${name}-${unique}'
    identityId: identities.outputs.functionsId
    clientId: identities.outputs.functionsClientId
    hostBlobUri: hostStorage.outputs.blobServiceUri
    deploymentContainer: hostStorage.outputs.deploymentContainer
    intakeName: intakeStorage.outputs.name
    connectionString: monitoring.outputs.connectionString
    workspaceId: monitoring.outputs.workspaceId
    subnetId: privateHost ? network!.outputs.functionsSubnetId : ''
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReady: alwaysReady
    sweepSchedule: sweepSchedule
    operatorsAudience: operatorsAudience
    awsManagementAccountId: awsManagementAccountId
    awsAudience: awsAudience
    awsStackName: awsStackName
    stackSetName: stackSetName
    readerRole: readerRole
    gcpManagementProjectNumber: gcpManagementProjectNumber
    gcpManagementProjectId: gcpManagementProjectId
    gcpTokenResource: gcpTokenResource
    gcpPushAudience: gcpPushAudience
    appSettings: appSettings
  }
}

module connectors 'connectors.bicep' = {
  name: 'rollcall-connectors'
  params: {
    location: connectorsLocation
    resourceGroupName: connectorsResourceGroupName
    functionsPrincipalId: identities.outputs.functionsPrincipalId
    securityAdmin: securityAdmin
    deleteOrphanedMachines: deleteOrphanedMachines
    assignRoles: assignRoles
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'rollcall-alerts'
  scope: group
  params: {
    location: location
    name: name
    workspaceId: monitoring.outputs.workspaceId
    alertEmail: alertEmail
    actionGroupIds: actionGroupIds
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'rollcall-workbook'
  scope: group
  params: {
    location: location
    workspaceId: monitoring.outputs.workspaceId
  }
}

@description('IdentityObjectId of infra/aws/reader-hub.yaml, function_identity_object_id of infra/gcp, functionsPrincipalId of the other two files here.')
output functionsPrincipalId string = identities.outputs.functionsPrincipalId

@description('ClientId of infra/aws/template.yaml.')
output senderClientId string = identities.outputs.senderClientId

@description('QueueServiceUri of infra/aws/template.yaml.')
output queueServiceUri string = intakeStorage.outputs.queueServiceUri

@description('TenantId of both templates of infra/aws, tenant_id of infra/gcp.')
output tenantId string = tenant().tenantId

@description('push_endpoint of infra/gcp.')
output pushEndpoint string = 'https://${functionApp.outputs.hostName}/api/gcp/project-events'

@description('Where the package is published to.')
output functionAppName string = functionApp.outputs.name

@description('Settings of an operator\'s shell: ROLLCALL_PUBLISH__BLOB and ROLLCALL_POLICY.')
output policyUri string = '${intakeStorage.outputs.blobServiceUri}/policy/policy.yaml'

@description('ROLLCALL_LEDGER__TABLESERVICEURI of an operator\'s shell.')
output tableServiceUri string = intakeStorage.outputs.tableServiceUri

@description('ROLLCALL_SWEEP__CONTAINER of an operator\'s shell.')
output sweepsContainer string = '${intakeStorage.outputs.blobServiceUri}/sweeps'
