"""Who may ask: over loopback anybody of this machine, elsewhere who has a token, behind Google's IAP who it lets in."""
