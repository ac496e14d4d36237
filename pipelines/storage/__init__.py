"""``files``: whole files in a folder or a bucket. ``archive``: plays in Avro files by month."""
