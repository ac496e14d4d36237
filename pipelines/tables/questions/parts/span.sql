span AS (
  SELECT
    *,
    CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END AS source_rank,
    ${time_heard},
    (
      CONCAT('track:', song_id) IN UNNEST(@hidden)
      OR CONCAT('track:', track_id) IN UNNEST(@hidden)
      OR CONCAT('artist:', COALESCE(artists[SAFE_OFFSET(0)].id, '')) IN UNNEST(@hidden)
      OR CONCAT('artist_name:', IF(artists[SAFE_OFFSET(0)].id <> '', '', COALESCE(artists[SAFE_OFFSET(0)].name, ''))) IN UNNEST(@hidden)
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
