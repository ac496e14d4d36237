"""``python -m tests.siege.spotify``: the look-alike of Spotify as a process, whose refresh tokens work once.

First it prints a line of JSON: what the environment needs, and the token to begin with. For each line that it reads it
prints one more: how often a refresh was granted and refused so far, and the token that it takes now.
"""

import json
import sys
from datetime import UTC, datetime

from demo.listener import Listener
from demo.spotify import SpotifyServer


def main() -> None:
    """Until standard input ends."""
    now = datetime.now(UTC)
    with SpotifyServer(Listener(1).listens, clock=lambda: now) as server:
        accounts = server.accounts
        accounts.rotate = True
        environment = {
            "SPOTIFY_API_URL": server.url,
            "SPOTIFY_ACCOUNTS_URL": server.url,
            "SPOTIFY_CLIENT_ID": accounts.client_id,
        }
        print(json.dumps({"environment": environment, "token": accounts.refresh_token}), flush=True)
        for _ in sys.stdin:
            refreshes = [request.status for request in server.requests if request.path == "/api/token"]
            told = {
                "granted": refreshes.count(200),
                "refused": refreshes.count(400),
                "token": next(reversed(accounts._refresh)),
            }
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
