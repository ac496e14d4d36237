-- Time heard: as the source says; else the track's length, but no more than the time since the play before ended.
    CASE
      WHEN ms_played IS NOT NULL THEN ms_played
      WHEN UNIX_MILLIS(played_at) - UNIX_MILLIS(ended_before) < duration_ms
        THEN UNIX_MILLIS(played_at) - UNIX_MILLIS(ended_before)
      ELSE duration_ms
    END AS heard_ms,
    ms_played IS NULL AND duration_ms IS NOT NULL AS is_estimated,
    ms_played IS NULL AND duration_ms IS NULL AS is_unknown
