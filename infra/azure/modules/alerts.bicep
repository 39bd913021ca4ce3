// What somebody has to be told. The queries look for the log lines that functions/ and shared/ write.
param location string
param name string
param workspaceId string
param alertEmail string
param actionGroupIds array

var rules = [
  {
    name: 'poison-arrivals'
    text: 'Requests were parked, or given up by the host: rollcall replay list'
    severity: 1
    frequency: 'PT15M'
    window: 'PT1H' // longer than its frequency: a row may come late
    query: loadTextContent('../alerts/poison-arrivals.kql')
  }
  {
    name: 'sweep-missing'
    text: 'No sweep of the last 26 hours came to a complete end'
    severity: 1
    frequency: 'PT1H'
    window: 'P2D'
    query: loadTextContent('../alerts/sweep-missing.kql')
  }
  {
    name: 'connectors-unhealthy'
    text: 'The newest sweep found connectors that Defender calls unhealthy: rollcall sweep --last'
    severity: 2
    frequency: 'PT1H'
    window: 'P2D'
    query: loadTextContent('../alerts/connectors-unhealthy.kql')
  }
  {
    name: 'deferred-too-long'
    text: 'Requests have been waiting for six hours and more: rollcall status'
    severity: 2
    frequency: 'PT1H'
    window: 'P2D'
    query: loadTextContent('../alerts/deferred-too-long.kql')
  }
  {
    name: 'deployment-wrong'
    text: 'Something is set wrong, or a right is missing: the line names it'
    severity: 1
    frequency: 'PT15M'
    window: 'PT1H' // longer than its frequency: a row may come late
    query: loadTextContent('../alerts/deployment-wrong.kql')
  }
  {
    name: 'notices-undelivered'
    text: 'Somebody who is to be told of sweeps could not be told: the line says who and why'
    severity: 3
    frequency: 'PT1H'
    window: 'P2D'
    query: loadTextContent('../alerts/notices-undelivered.kql')
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: '${name}-people'
  location: 'global'
  properties: {
    enabled: true
    groupShortName: name
    emailReceivers: [
      {
        name: 'people'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${name}-${rule.name}'
  location: location
  kind: 'LogAlert'
  properties: {
    displayName: '${name}-${rule.name}'
    description: rule.text
    severity: rule.severity
    enabled: true
    autoMitigate: true
    evaluationFrequency: rule.frequency
    windowSize: rule.window
    skipQueryValidation: true // the table is there only when the first line has come
    scopes: [
      workspaceId
    ]
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: concat(actionGroupIds, empty(alertEmail) ? [] : [people.id])
    }
  }
}]
