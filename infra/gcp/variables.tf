variable "organization_id" {
  description = "Number of the Google Cloud organization; the policy's gcp.organization."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{6,20}$", var.organization_id))
    error_message = "organization_id is the organization's number, digits only."
  }
}

variable "management_project_id" {
  description = "Id of the project that holds pools, service accounts and Pub/Sub. It has to exist, with billing."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.management_project_id))
    error_message = "management_project_id is a project's id (6 to 30 of a-z, 0-9 and dashes), not its number or name."
  }
}

variable "tenant_id" {
  description = "The Entra tenant whose Defender for Cloud connects the projects. Without dashes it is the id of Defender's pool."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.tenant_id))
    error_message = "tenant_id is the Entra tenant's id, lower case, with dashes."
  }
}

variable "function_identity_object_id" {
  description = "Object id (principal id, not client id) of the Function App's managed identity."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.function_identity_object_id))
    error_message = "function_identity_object_id is the managed identity's object id, lower case, with dashes."
  }
}

variable "token_resource" {
  description = "Application id URI of the Entra application that the managed identity asks tokens for: their claim aud."
  type        = string
  default     = "api://rollcall-gcp"

  validation {
    condition     = can(regex("^(api|https)://[^\\s?#]+$", var.token_resource))
    error_message = "token_resource is an application id URI, such as api://rollcall-gcp."
  }
}

variable "push_endpoint" {
  description = "Address of the function gcp_project_events, https, without a query string."
  type        = string

  validation {
    condition     = can(regex("^https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/-]*)?$", var.push_endpoint))
    error_message = "push_endpoint is an https address without port, query string (no function key) or fragment."
  }
}

variable "push_audience" {
  description = "Claim aud of the tokens that Pub/Sub sends along; the function takes no other."
  type        = string
  default     = "rollcall-project-events"

  validation {
    condition     = can(regex("^[^\\s]{8,255}$", var.push_audience))
    error_message = "push_audience is 8 to 255 characters without spaces."
  }
}

variable "mode" {
  description = "The policy's gcp.mode. In standalone every project has Defender's identities of its own, made by its owner: none are made here, and Rollcall may look at those of all projects."
  type        = string
  default     = "member"

  validation {
    condition     = contains(["member", "standalone"], var.mode)
    error_message = "mode is member or standalone."
  }
}

variable "plans" {
  description = "Defender's plans that any profile of the policy switches on for projects. Foundational CSPM is always on."
  type        = set(string)
  default     = ["defender_cspm", "servers", "containers", "databases"]

  validation {
    condition = alltrue([
      for plan in var.plans : contains(["defender_cspm", "servers", "containers", "databases"], plan)
    ])
    error_message = "plans are defender_cspm, servers, containers and databases. Defender for Storage does not exist for GCP."
  }
}

variable "parts" {
  description = "Parts of the plans. Not there by default: ciem (needs Entra's CIEM application), encrypted_disks (disks with keys of your own)."
  type        = set(string)
  default = [
    "agentless_scanning", "arc", "audit_logs", "image_assessment", "kubernetes_discovery", "sensitive_data"
  ]

  validation {
    condition = alltrue([
      for part in var.parts : contains([
        "agentless_scanning", "arc", "audit_logs", "ciem", "encrypted_disks", "image_assessment",
        "kubernetes_discovery", "sensitive_data"
      ], part)
    ])
    error_message = "parts are agentless_scanning, arc, audit_logs, ciem, encrypted_disks, image_assessment, kubernetes_discovery and sensitive_data."
  }
}

variable "read_only_image_assessment" {
  description = "Give Defender's image assessment roles that only read. It can attach no results to images then."
  type        = bool
  default     = false
}

variable "rollcall_arc" {
  description = "Let Rollcall do what Azure Arc on Compute Engine needs: set enable-osconfig=TRUE on projects, look for instances."
  type        = bool
  default     = false
}

variable "send_events" {
  description = "Whether the sink sends events. Off while nothing takes them."
  type        = bool
  default     = true
}

variable "max_delivery_attempts" {
  description = "After how many pushes an event goes to the dead-letter topic: 100 are about 16 hours."
  type        = number
  default     = 100

  validation {
    condition     = var.max_delivery_attempts >= 5 && var.max_delivery_attempts <= 100
    error_message = "max_delivery_attempts is 5 to 100."
  }
}
