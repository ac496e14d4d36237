"""What SQL does not say simply: small pure functions from rows to figures."""
