// What to look at: Defender's own view of both clouds by Resource Graph, Rollcall's by its logs.
param location string
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'rollcall-workbook')
  location: location
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: 'Rollcall'
    serializedData: replace(loadTextContent('../workbook.json'), 'WORKSPACE_ID', workspaceId)
    sourceId: workspaceId
  }
}
