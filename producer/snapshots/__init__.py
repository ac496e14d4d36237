"""What watching and enriching share: ``asker`` asks Spotify within a budget, ``outbox`` has what is to be published."""
