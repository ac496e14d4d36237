"""``files``: whole files in a folder or a bucket, with versions. ``archive``: plays in Avro files by month."""
