-- All plays whose track may be of the item by any copy that is known of it: what each counts for is decided over them.
asked AS (
  SELECT DISTINCT
    song_id,
    NULLIF(artists[SAFE_OFFSET(0)].name, '') AS artist_name,
    NULLIF(album_id, '') AS album_id,
    album_key
  FROM ${dataset}.plays
  WHERE
    user_id = @user_id
    AND CASE @kind
      WHEN 'track' THEN song_id = @id OR track_id = @id
      WHEN 'artist' THEN
        artists[SAFE_OFFSET(0)].id = @id
        OR (
          STARTS_WITH(@id, 'names:')
          AND CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', artists[SAFE_OFFSET(0)].name))), 1, 22)) = @id
        )
      ELSE COALESCE(album_key, album_id, album_name) = @id OR album_id = @id
    END
),

candidates AS (
  SELECT DISTINCT track_id
  FROM ${dataset}.plays
  WHERE
    user_id = @user_id
    AND CASE @kind
      WHEN 'track' THEN track_id = @id OR song_id IN (SELECT song_id FROM asked)
      WHEN 'artist' THEN
        artists[SAFE_OFFSET(0)].id = @id
        OR NULLIF(artists[SAFE_OFFSET(0)].name, '') IN (SELECT artist_name FROM asked WHERE artist_name IS NOT NULL)
      ELSE
        COALESCE(album_key, album_id, album_name) IN (SELECT album_key FROM asked WHERE album_key IS NOT NULL)
        OR album_id IN (SELECT album_id FROM asked WHERE album_id IS NOT NULL)
    END
),

ends AS (
  SELECT played_at, LAG(played_at) OVER (ORDER BY played_at) AS ended_before
  FROM ${dataset}.plays
  WHERE user_id = @user_id
),

plays_of_item AS (
  SELECT
    *,
    ${first_artist},
    ${source_rank},
    ${time_heard}
  FROM ${dataset}.plays
  JOIN ends USING (played_at)
  WHERE user_id = @user_id AND track_id IN (SELECT track_id FROM candidates)
),

heard AS (
  SELECT * FROM plays_of_item
)
