"""When a login ends, as far as this machine knows. Of its file nothing is looked at but the day it was given."""

import json
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from producer.accounts.grant import TOKEN_LIFE


def login_ends(logins: str, account_id: str) -> datetime | None:
    """``logins`` is a folder of logins. An aware instant; None where it is not known, or nobody has logged in."""
    path = Path(logins) / f"{quote(account_id, safe='')}.json"
    try:
        return datetime.fromisoformat(json.loads(path.read_bytes())["authorized_at"]) + TOKEN_LIFE
    except (OSError, KeyError, TypeError, ValueError):
        return None
