-- An artist's figures over time, each source's for itself, the oldest first.
--   @id  STRING  the artist's id, as in plays and top tens
-- Months: none
-- popularity and followers are Spotify's, listeners and listens ListenBrainz's.
SELECT source, taken_at, popularity, followers, listeners, listens
FROM ${dataset}.artist_history
WHERE artist_id = @id AND COALESCE(popularity, followers, listeners, listens) IS NOT NULL
ORDER BY source, taken_at
