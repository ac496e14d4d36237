"""What is remembered of each account: ``cursor`` says what, ``documents`` keeps it in a folder or a bucket."""
