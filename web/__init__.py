"""Pages, pictures and an HTTP API over the warehouse; no Beam."""
