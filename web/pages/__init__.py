"""The pages: each module has a ``router``, and makes what its template shows; none holds SQL."""
