artists[SAFE_OFFSET(0)].id AS artist_id,
    artists[SAFE_OFFSET(0)].name AS artist_name
