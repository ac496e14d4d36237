"""What can go wrong for a reason outside the program. The texts are for the user, and hold no token."""

from datetime import datetime


class ProducerError(Exception):
    """Told in one line and exit code 1, without a stack trace."""


class ExportError(ProducerError):
    """What was named is not an export that can be read whole."""


class StateError(ProducerError):
    """The state folder or the store of logins cannot be read or written, or what is asked of it is not there."""


class StoppedError(ProducerError):
    """The program was told to stop while it waited. Nothing is lost."""


class SpotifyError(ProducerError):
    """Spotify did not do what was asked. Nothing is lost by trying again later, unless a subclass says so."""


class UnreachableError(SpotifyError):
    """No whole answer came: no network, a time-out, a broken connection, Spotify's own trouble."""


class RateLimitedError(SpotifyError):
    """Spotify asks to wait for longer than a poll may take; before ``retry_at`` (UTC) there is no use in asking."""

    def __init__(self, message: str, retry_at: datetime) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class QuotaExceededError(RateLimitedError):
    """The day's quota of the app's owner is used up: for all accounts, and all of the owner's apps."""


class LoginError(SpotifyError):
    """A person has to act: credentials are missing or refused, or the login has ended."""


class LoginEndedError(LoginError):
    """Spotify no longer accepts the login's refresh token. Only a new login helps."""


class LoggedOutError(LoginError):
    """The account was logged out here while it was in use. Nothing of it is written any more."""


class PublishError(ProducerError):
    """Pub/Sub did not acknowledge every message. What it did acknowledge may come again."""
