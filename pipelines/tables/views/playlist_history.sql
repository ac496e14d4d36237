-- When each track of a watched playlist came and went: a row for each stay, by the states of the list that were read whole.
-- came_at and left_at are when the first state with it was read, and the first one without it; left_at is null while it is
-- there. What is_from_the_start was there when the list was first read; added_at is when it was added, as Spotify says.
WITH positions AS (
  SELECT
    *,
    COALESCE(
      NULLIF(track_id, ''), CONCAT('local:', track_name, '\x1f', COALESCE(artists[SAFE_OFFSET(0)].name, ''))
    ) AS entry
  FROM ${dataset}.playlist_snapshots
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY playlist_id, snapshot_id, position ORDER BY taken_at) = 1
),

states AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY playlist_id ORDER BY read_at, snapshot_id) AS number,
    LEAD(read_at) OVER (PARTITION BY playlist_id ORDER BY read_at, snapshot_id) AS next_read_at
  FROM (
    SELECT playlist_id, snapshot_id, MIN(taken_at) AS read_at
    FROM positions
    GROUP BY playlist_id, snapshot_id
    HAVING COUNTIF(position > 0) = MAX(tracks)
  )
),

-- A track that is there several times is there at the first of its positions. Where no track is named, there is none.
there AS (
  SELECT positions.*, states.number, states.read_at, states.next_read_at
  FROM positions
  JOIN states ON states.playlist_id = positions.playlist_id AND states.snapshot_id = positions.snapshot_id
  WHERE positions.position > 0 AND positions.track_name IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY states.playlist_id, states.number, entry ORDER BY positions.position) = 1
),

-- States that follow on each other have one difference to a count of the track's own.
stays AS (
  SELECT *, number - ROW_NUMBER() OVER (PARTITION BY playlist_id, entry ORDER BY number) AS stay
  FROM there
)

SELECT
  playlist_id,
  ANY_VALUE(playlist_name HAVING MAX number) AS playlist_name,
  NULLIF(ANY_VALUE(track_id HAVING MAX number), '') AS track_id,
  ANY_VALUE(track_name HAVING MAX number) AS track_name,
  ANY_VALUE(artists[SAFE_OFFSET(0)].name HAVING MAX number) AS artist_name,
  ANY_VALUE(added_at HAVING MAX number) AS added_at,
  MIN(read_at) AS came_at,
  ANY_VALUE(next_read_at HAVING MAX number) AS left_at,
  MIN(number) = 1 AS is_from_the_start,
  ANY_VALUE(position HAVING MIN number) AS first_position,
  ANY_VALUE(position HAVING MAX number) AS last_position,
  MIN(position) AS best_position,
  COUNT(*) AS states,
  entry
FROM stays
GROUP BY playlist_id, entry, stay
