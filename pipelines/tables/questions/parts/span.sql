-- What the play before each ended at; then what questions of a span need of its plays, and no more.
ended AS (
  SELECT played_at, LAG(played_at) OVER (ORDER BY played_at) AS ended_before
  FROM ${dataset}.plays
  WHERE user_id = @user_id AND month BETWEEN DATE_SUB(DATE_TRUNC(@from, MONTH), INTERVAL 1 MONTH) AND @to
),

span AS (
  SELECT
    played_at,
    played_at_local,
    played_on,
    month,
    track_id,
    song_id,
    track_name,
    ${first_artist},
    album_id,
    album_name,
    album_key,
    album_artist_name,
    album_release_date,
    album_image_url,
    skipped,
    reason_end,
    ingested_at,
    ${source_rank},
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
  FROM ${dataset}.plays
  JOIN ended USING (played_at)
  -- A whole month is its plays; only where a span begins or ends within one does the day decide.
  WHERE
    user_id = @user_id
    AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
    AND (played_on >= @from OR @from = DATE_TRUNC(@from, MONTH))
    AND (played_on <= @to OR @to = LAST_DAY(@to, MONTH))
)
