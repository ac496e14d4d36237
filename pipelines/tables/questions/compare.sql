-- Two spans beside each other: what is high in either, with its plays and rank in both.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @before_from  DATE            first day of the earlier span
--   @before_to    DATE            last day of the earlier span
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @kind     STRING = ""         track, artist or album; empty for all three
--   @limit    INT64 = 50          how many of each kind and span
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to, before @before_from to @before_to
WITH ${span},

${heard},

${credits},

${lines},

${before_span},

${before_heard},

${before_credits},

${before_lines}

SELECT
  kind,
  key,
  COALESCE(ranked.id, before_ranked.id) AS id,
  COALESCE(ranked.name, before_ranked.name) AS name,
  COALESCE(ranked.artist_name, before_ranked.artist_name) AS artist_name,
  COALESCE(ranked.plays, 0) AS plays,
  ranked.heard_ms AS heard_ms,
  COALESCE(ranked.estimated_plays, 0) AS estimated_plays,
  COALESCE(ranked.unknown_plays, 0) AS unknown_plays,
  ranked.rank AS rank,
  COALESCE(before_ranked.plays, 0) AS plays_before,
  before_ranked.heard_ms AS heard_ms_before,
  COALESCE(before_ranked.estimated_plays, 0) AS estimated_plays_before,
  COALESCE(before_ranked.unknown_plays, 0) AS unknown_plays_before,
  before_ranked.rank AS rank_before
FROM ranked
FULL JOIN before_ranked USING (kind, key)
WHERE COALESCE(ranked.rank, @limit + 1) <= @limit OR COALESCE(before_ranked.rank, @limit + 1) <= @limit
ORDER BY kind, LEAST(COALESCE(ranked.rank, @limit + 1), COALESCE(before_ranked.rank, @limit + 1)), ranked.rank, key
