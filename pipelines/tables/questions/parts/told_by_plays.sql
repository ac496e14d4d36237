-- What plays of some tracks or albums say of them, and when it was last said so.
told_by_plays AS (
  SELECT
    track_id,
    album_id,
    album_key,
    album_image_url,
    album_release_date,
    duration_ms,
    source = 'RECENTLY_PLAYED' AS is_of_api,
    MAX(ingested_at) AS taken_at
  FROM ${dataset}.plays
  WHERE
    user_id = @user_id
    AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
    AND IF(@kind = 'track', track_id IN UNNEST(@ids), album_id IN UNNEST(@ids) OR album_key IN UNNEST(@ids))
  GROUP BY track_id, album_id, album_key, album_image_url, album_release_date, duration_ms, is_of_api
)
