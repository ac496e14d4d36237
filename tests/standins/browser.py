"""A browser without a screen: opens the address it is given, agrees, and follows Spotify back.

As a program, it is what ``BROWSER`` names: ``webbrowser`` starts it.
"""

import sys

import requests


def browse(address: str) -> requests.Response:
    """The page that the browser ends on."""
    return requests.get(address, timeout=10)


if __name__ == "__main__":
    browse(sys.argv[1])
