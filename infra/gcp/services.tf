data "google_project" "management" {
  project_id = var.management_project_id
}

resource "google_project_service" "management" {
  for_each = local.services

  project            = var.management_project_id
  service            = each.value
  disable_on_destroy = false
}
