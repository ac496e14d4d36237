-- When each thing was heard first, in the whole history, by everything that it may be known by.
firsts AS (
  SELECT 'song' AS known_by, song_id AS value, MIN(month) AS first_month, MIN(played_on) AS first_day
  FROM ${dataset}.plays
  WHERE user_id = @user_id
  GROUP BY song_id
  UNION ALL
  SELECT 'track', track_id, MIN(month), MIN(played_on)
  FROM ${dataset}.plays
  WHERE user_id = @user_id
  GROUP BY track_id
  UNION ALL
  SELECT 'artist', id, MIN(month), MIN(played_on)
  FROM (SELECT artists[SAFE_OFFSET(0)].id AS id, month, played_on FROM ${dataset}.plays WHERE user_id = @user_id)
  WHERE id <> ''
  GROUP BY id
  UNION ALL
  -- Where no id is known, and of all.
  SELECT IF(has_id, 'name', 'name alone'), name, MIN(month), MIN(played_on)
  FROM (
    SELECT
      artists[SAFE_OFFSET(0)].name AS name,
      COALESCE(artists[SAFE_OFFSET(0)].id, '') <> '' AS has_id,
      month,
      played_on
    FROM ${dataset}.plays
    WHERE user_id = @user_id
  )
  GROUP BY has_id, name
  UNION ALL
  SELECT 'album', COALESCE(album_key, album_id, album_name), MIN(month), MIN(played_on)
  FROM ${dataset}.plays
  WHERE user_id = @user_id
  GROUP BY COALESCE(album_key, album_id, album_name)
  UNION ALL
  SELECT 'album id', album_id, MIN(month), MIN(played_on)
  FROM ${dataset}.plays
  WHERE user_id = @user_id
  GROUP BY album_id
)
