"""What a server was started with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pipelines.clock import utc_now
from web.access.deciding import Access


@dataclass(frozen=True)
class Settings:
    """``warehouse`` is a folder or ``bigquery://project.dataset``; ``user`` is the only one who is shown, if it is set.

    ``state`` is the folder of what the producer remembers, with polls and gaps; None where nobody knows it. So are
    ``archive``, which the tables are made from, and ``logins``, the folder of those who have logged in.
    ``access`` says who may ask: without more, who is at this machine.
    With ``warms`` the months' answers are made in the background, before anybody asks.
    With ``covers`` pages show Spotify's pictures, the only thing that a page asks another server for.
    """

    warehouse: str
    user: str | None = None
    state: str | None = None
    archive: str | None = None
    logins: str | None = None
    covers: bool = True
    warms: bool = False
    access: Access = field(default_factory=Access)
    clock: Callable[[], datetime] = utc_now
