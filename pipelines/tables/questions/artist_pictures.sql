-- The newest picture of some artists, where a source has one: one row for each that is known.
--   @ids  ARRAY<STRING>  ids as lists show them, at Spotify or made from names
-- Months: none
SELECT artist_id AS id, image_url
FROM ${dataset}.artist_snapshots
WHERE found AND image_url <> '' AND artist_id IN UNNEST(@ids)
QUALIFY ROW_NUMBER() OVER (PARTITION BY artist_id ORDER BY taken_at DESC, image_url) = 1
ORDER BY id
