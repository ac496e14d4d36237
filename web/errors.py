"""What a request may be answered with instead of what it asks for. Each text is a sentence for who asked."""


class SentenceError(Exception):
    """Ends a request with ``status`` and its sentence, as a page or, for who asked for data, as JSON."""

    status = 500


class BadRequestError(SentenceError):
    """The request makes no sense."""

    status = 400


class NotFoundError(SentenceError):
    """There is no such thing here. ``instead`` are links to what there is: text and path."""

    status = 404

    def __init__(self, sentence: str, *instead: tuple[str, str]) -> None:
        super().__init__(sentence)
        self.instead = instead


class NothingYetError(SentenceError):
    """There are no plays to show; the page says how they come."""

    status = 404
