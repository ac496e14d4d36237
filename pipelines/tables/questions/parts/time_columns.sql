SUM(heard_ms) AS heard_ms,
    COUNTIF(is_estimated) AS estimated_plays,
    COUNTIF(is_unknown) AS unknown_plays
