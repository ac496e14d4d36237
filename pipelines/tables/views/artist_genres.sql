-- The genres of each artist, as each source has them last; votes where it counts them.
-- An artist is there by the id that was asked about, and also by the one made from the name, which plays have where no id
-- was known; where two artists have the name, by their ids alone.
WITH known AS (
  SELECT artist_id, source, taken_at, NULLIF(name, '') AS artist_name, genres
  FROM ${dataset}.artist_snapshots
  WHERE found AND ARRAY_LENGTH(genres) > 0
  QUALIFY ROW_NUMBER() OVER (PARTITION BY artist_id, source ORDER BY taken_at DESC) = 1
),

named AS (
  SELECT
    CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', artist_name))), 1, 22)) AS artist_id,
    source,
    taken_at,
    artist_name,
    genres
  FROM known
  WHERE artist_name IS NOT NULL
  QUALIFY COUNT(*) OVER (PARTITION BY artist_name, source) = 1
),

keyed AS (
  SELECT * FROM known
  UNION ALL
  SELECT named.*
  FROM named
  LEFT JOIN known ON known.artist_id = named.artist_id AND known.source = named.source
  WHERE known.artist_id IS NULL
)

SELECT keyed.artist_id, keyed.artist_name, keyed.source, told.name AS genre, MAX(told.votes) AS votes, keyed.taken_at
FROM keyed, UNNEST(genres) AS told
WHERE told.votes IS NULL OR told.votes > 0
GROUP BY keyed.artist_id, keyed.artist_name, keyed.source, told.name, keyed.taken_at
