"""What a command tells its user when it cannot do what it was asked: the one base of all such errors."""


class Failure(Exception):  # noqa: N818  it is what the user is told, not a programming error
    """Told in one line and exit code 1, without a stack trace. The text says why and what to do, and holds no token."""
