"""What Spotify does not give this app, as the producer's state remembers it."""

from pipelines.domain.withdrawn import NAME, Withdrawn, withdrawn_of
from pipelines.storage.files import StorageError
from web.figures.documents import document


def withdrawn(state: str | None, what: str) -> Withdrawn | None:
    """Of one thing; None where it is given, or where that is not known."""
    if state is None:
        return None
    try:
        found = withdrawn_of(document(state, NAME))
        # A time that has no month after it is no time that anybody wrote.
        return next((each for each in found if each.what == what and each.asked_again_at), None)
    except (StorageError, AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
