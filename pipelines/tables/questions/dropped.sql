-- What was in the ten of an earlier span and is not in this one's, with its plays and rank now.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @before_from  DATE            first day of the earlier span
--   @before_to    DATE            last day of the earlier span
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @kind     STRING = ""         track, artist or album; empty for all three
--   @limit    INT64 = 10          how many of each kind the ten has
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
  before_ranked.rank AS rank_before,
  key,
  before_ranked.id,
  before_ranked.name AS name,
  before_ranked.artist_name AS artist_name,
  before_ranked.plays AS plays_before,
  COALESCE(ranked.plays, 0) AS plays,
  ranked.rank AS rank
FROM before_ranked
LEFT JOIN ranked USING (kind, key)
WHERE before_ranked.rank <= @limit AND COALESCE(ranked.rank, @limit + 1) > @limit
ORDER BY kind, rank_before
