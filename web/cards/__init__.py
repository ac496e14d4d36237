"""The picture to send: what stands on it, how it is drawn as SVG, and PNG of that."""
