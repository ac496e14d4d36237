-- An artist's genres as each source has them, those with the most votes first.
--   @id  STRING  the artist's id, as in plays and top tens
-- Months: none
SELECT source, genre, votes, taken_at
FROM ${dataset}.artist_genres
WHERE artist_id = @id
ORDER BY source, COALESCE(votes, 0) DESC, genre
