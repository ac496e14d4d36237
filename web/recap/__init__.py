"""A span as files to send or to publish: one page with all in it, and the cards."""
