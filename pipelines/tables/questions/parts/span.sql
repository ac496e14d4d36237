span AS (
  SELECT
    played_at,
    played_at_local,
    played_on,
    month,
    source,
    CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END AS source_rank,
    ingested_at,
    track_id,
    track_name,
    song_id,
    NULLIF(artists[SAFE_OFFSET(0)].id, '') AS artist_id,
    NULLIF(artists[SAFE_OFFSET(0)].name, '') AS artist_name,
    NULLIF(album_id, '') AS album_id,
    NULLIF(album_name, '') AS album_name,
    COALESCE(NULLIF(album_artist_name, ''), NULLIF(artists[SAFE_OFFSET(0)].name, '')) AS album_artist,
    COALESCE(album_key, album_id, album_name) AS album_key, -- rows of before the column came, until a rebuild
    album_release_date,
    NULLIF(album_image_url, '') AS image_url,
    skipped,
    reason_end,
    -- Time heard: as the source says; else the track's length, but no more than the time since the play before ended.
    CASE
      WHEN ms_played IS NOT NULL THEN ms_played
      WHEN TIMESTAMP_DIFF(played_at, ended_before, MILLISECOND) < duration_ms
        THEN TIMESTAMP_DIFF(played_at, ended_before, MILLISECOND)
      ELSE duration_ms
    END AS heard_ms,
    ms_played IS NULL AND duration_ms IS NOT NULL AS is_estimated,
    ms_played IS NULL AND duration_ms IS NULL AS is_unknown,
    ARRAY_LENGTH(@hidden) > 0 AND (
      CONCAT('track:', song_id) IN UNNEST(@hidden)
      OR CONCAT('track:', track_id) IN UNNEST(@hidden)
      OR CONCAT('artist:', COALESCE(artists[SAFE_OFFSET(0)].id, '')) IN UNNEST(@hidden)
      OR CONCAT('artist_name:', COALESCE(artists[SAFE_OFFSET(0)].name, '')) IN UNNEST(@hidden)
      OR CONCAT('album:', COALESCE(album_id, '')) IN UNNEST(@hidden)
      OR CONCAT('album:', COALESCE(album_key, '')) IN UNNEST(@hidden)
      OR CONCAT('context:', COALESCE(context_uri, '')) IN UNNEST(@hidden)
    ) AS is_hidden
  FROM (
    SELECT *, LAG(played_at) OVER (ORDER BY played_at) AS ended_before
    FROM ${dataset}.plays
    WHERE user_id = @user_id AND month BETWEEN DATE_SUB(DATE_TRUNC(@from, MONTH), INTERVAL 1 MONTH) AND @to
  )
  -- A whole month is its plays; only where a span begins or ends within one does the day decide.
  WHERE
    month >= DATE_TRUNC(@from, MONTH)
    AND (played_on >= @from OR @from = DATE_TRUNC(@from, MONTH))
    AND (played_on <= @to OR @to = LAST_DAY(@to, MONTH))
)
