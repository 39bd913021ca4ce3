# What Rollcall and Defender for Cloud need in one Google Cloud organization. docs/guides/gcp.md leads through it.
# No backend is chosen here: add a file of your own with one (the guide says how).
terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
  }
}

provider "google" {
  project               = var.management_project_id
  billing_project       = var.management_project_id
  user_project_override = true
}
