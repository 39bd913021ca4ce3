// The way from the Function App to the private storage of its host, and out to AWS, Google and Azure.
param location string
param name string

resource rules 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-rules'
  location: location
  properties: {
    securityRules: [] // what is there by default: nothing comes in from the internet
  }
}

// Without it a subnet of today has no way to the internet at all.
resource address 'Microsoft.Network/publicIPAddresses@2024-05-01' = {
  name: '${name}-outbound'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource outbound 'Microsoft.Network/natGateways@2024-05-01' = {
  name: '${name}-outbound'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: '${name}-network'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.82.0.0/24'
      ]
    }
    subnets: [
      {
        name: 'functions'
        properties: {
          addressPrefix: '10.82.0.0/25'
          delegations: [
            {
              name: 'flex'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
          natGateway: {
            id: outbound.id
          }
          networkSecurityGroup: {
            id: rules.id
          }
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.82.0.128/27'
          networkSecurityGroup: {
            id: rules.id
          }
        }
      }
    ]
  }
}

resource functionsSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-05-01' existing = {
  parent: network
  name: 'functions'
}

resource endpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-05-01' existing = {
  parent: network
  name: 'endpoints'
}

resource blobZone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: 'privatelink.blob.${environment().suffixes.storage}'
  location: 'global'
}

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: blobZone
  name: '${name}-network'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}

output functionsSubnetId string = functionsSubnet.id
output endpointSubnetId string = endpointSubnet.id
output blobZoneId string = blobZone.id
