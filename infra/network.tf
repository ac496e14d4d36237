# Size stream: a network for Dataflow's workers alone. They have no public address and reach Google's services only.
resource "google_compute_network" "stream" {
  count = local.is_stream ? 1 : 0

  name                    = "heavy-rotation"
  auto_create_subnetworks = false

  depends_on = [google_project_service.api]
}

resource "google_compute_subnetwork" "stream" {
  #checkov:skip=CKV_GCP_26:Flow logs cost more than they tell: workers reach Google's services and nothing else.
  count = local.is_stream ? 1 : 0

  name                     = "heavy-rotation"
  region                   = var.region
  network                  = google_compute_network.stream[0].id
  ip_cidr_range            = "10.10.0.0/24"
  private_ip_google_access = true
}

resource "google_compute_firewall" "workers" {
  count = local.is_stream ? 1 : 0

  name        = "heavy-rotation-workers"
  network     = google_compute_network.stream[0].id
  direction   = "INGRESS"
  source_tags = ["dataflow"]
  target_tags = ["dataflow"]

  allow {
    protocol = "tcp"
    ports    = ["12345-12346"] # What Dataflow's workers talk to each other on.
  }
}
