// The Function App and all its settings; none is a secret. What functions/settings.py reads is set here.
param location string
param name string
param identityId string
param clientId string
param hostBlobUri string
param deploymentContainer string
param intakeName string
param connectionString string
param workspaceId string
param subnetId string
param maximumInstanceCount int
param instanceMemoryMB int
param alwaysReady array
param sweepSchedule string
param operatorsAudience string
param awsManagementAccountId string
param awsAudience string
param awsStackName string
param stackSetName string
param readerRole string
param gcpManagementProjectNumber string
param gcpManagementProjectId string
param gcpTokenResource string
param gcpPushAudience string
param appSettings object

var queueServiceUri = 'https://${intakeName}.queue.${environment().suffixes.storage}'
var tableServiceUri = 'https://${intakeName}.table.${environment().suffixes.storage}'
var blobServiceUri = 'https://${intakeName}.blob.${environment().suffixes.storage}'

var always = {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
  APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
  APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED: 'true' // its exporter asks nobody how to behave,
  APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true' // and tells nobody how it fares
  AzureWebJobsStorage__blobServiceUri: hostBlobUri
  AzureWebJobsStorage__clientId: clientId
  AzureWebJobsStorage__credential: 'managedidentity'
  PYTHON_ENABLE_OPENTELEMETRY: 'true' // the worker sends its lines itself: the host does not send them a second time
  ROLLCALL_CLIENT_ID: clientId
  ROLLCALL_CREDENTIAL: 'managed-identity'
  ROLLCALL_LEDGER__TABLESERVICEURI: tableServiceUri
  ROLLCALL_PACING__BURST: '20'
  ROLLCALL_PACING__WRITES_PER_SECOND: '1'
  ROLLCALL_POLICY: '${blobServiceUri}/policy/policy.yaml'
  ROLLCALL_QUEUE__NAME: 'onboarding'
  ROLLCALL_QUEUE__clientId: clientId
  ROLLCALL_QUEUE__credential: 'managedidentity'
  ROLLCALL_QUEUE__queueServiceUri: queueServiceUri
  ROLLCALL_READER_ROLE: readerRole
  ROLLCALL_RETRY__CLAIM_SECONDS: '180'
  ROLLCALL_RETRY__CONTENDED_SECONDS: '30'
  ROLLCALL_RETRY__FIRST_SECONDS: '30'
  ROLLCALL_RETRY__LONGEST_SECONDS: '21600'
  ROLLCALL_STACK_NAME: awsStackName
  ROLLCALL_STACK_SET_NAME: stackSetName
  ROLLCALL_SWEEP__CONTAINER: '${blobServiceUri}/sweeps'
  ROLLCALL_SWEEP__SCHEDULE: sweepSchedule
  ROLLCALL_TENANT_ID: tenant().tenantId
}
// Empty values would be refused: a section is there as a whole or not at all.
var ofAws = {
  ROLLCALL_HUB__AUDIENCE: awsAudience
  ROLLCALL_HUB__ROLE_ARN: 'arn:aws:iam::${awsManagementAccountId}:role/rollcall-reader-hub'
}
var ofGoogle = {
  ROLLCALL_GCP__AUDIENCE: '//iam.googleapis.com/projects/${gcpManagementProjectNumber}/locations/global/workloadIdentityPools/rollcall/providers/function-app'
  ROLLCALL_GCP__PUSH_AUDIENCE: gcpPushAudience
  ROLLCALL_GCP__PUSH_SERVICE_ACCOUNT: 'rollcall-push@${gcpManagementProjectId}.iam.gserviceaccount.com'
  ROLLCALL_GCP__SERVICE_ACCOUNT: 'rollcall@${gcpManagementProjectId}.iam.gserviceaccount.com'
  ROLLCALL_GCP__TOKEN_RESOURCE: gcpTokenResource
}
var ofOperators = {
  ROLLCALL_OPERATORS__AUDIENCE: operatorsAudience
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: '${name}-plan'
  location: location
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId // of references among appSettings
    publicNetworkAccess: 'Enabled' // Pub/Sub pushes, and operators; each request's token is verified in code
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostBlobUri}/${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      // Queue and timer functions scale each by itself; the HTTP functions scale together.
      scaleAndConcurrency: {
        alwaysReady: alwaysReady
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          http: {
            perInstanceConcurrency: 16
          }
        }
      }
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(always, empty(awsManagementAccountId) ? {} : ofAws, empty(gcpManagementProjectNumber) ? {} : ofGoogle, empty(operatorsAudience) ? {} : ofOperators, appSettings)
}

// No passwords for publishing either.
resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

// What the host itself says, of which it leaves some out of Application Insights while the worker sends its own lines.
resource hostLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FunctionAppLogs'
        enabled: true
      }
    ]
  }
}

output name string = app.name
output hostName string = app.properties.defaultHostName
