CASE kind WHEN 'track' THEN credits.track_name WHEN 'artist' THEN credits.artist_name ELSE credits.album_name END
