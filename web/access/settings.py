"""The options that say who may ask, and what they come to."""

import argparse
from pathlib import Path

from pipelines.failure import Failure
from pipelines.home import Home
from web.access.asked import is_loopback
from web.access.deciding import Access
from web.access.iap import Iap
from web.access.public import PublicUrl
from web.access.tokens import Tokens

_ADD = "heavy-rotation web token add NAME"


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--public-url``, ``--tokens`` and ``--iap-audience``."""
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="https://host/path, behind a proxy that speaks TLS: only this address is answered, and with a token",
    )
    add_tokens(parser)
    parser.add_argument(
        "--iap-audience",
        metavar="AUDIENCE",
        help="in Google Cloud: let in whom the Identity-Aware Proxy lets in, for "
        "/projects/NUMBER/locations/REGION/services/SERVICE; Terraform sets it",
    )


def add_tokens(parser: argparse.ArgumentParser) -> None:
    """``--tokens`` alone, for the commands that keep them."""
    parser.add_argument("--tokens", metavar="FILE", type=Path, help="the file of tokens (default: with the state)")


def tokens_of(options: argparse.Namespace, home: Home) -> Tokens:
    """The tokens that are meant."""
    return Tokens(options.tokens or Path(home.state) / "web" / "tokens.json")


def access_of(options: argparse.Namespace, home: Home, host: str) -> Access:
    """Who may ask a server that is bound to ``host``, an address or a name.

    Raises Failure where it would answer others than this machine and could not tell who asks.
    """
    tokens = tokens_of(options, home)
    public = PublicUrl.of(options.public_url) if options.public_url else None
    if options.iap_audience:
        if public:
            raise Failure("--public-url is for tokens; with --iap-audience it is Google that says who asks")
        return Access(tokens, iap=Iap(options.iap_audience))
    is_here = host == "localhost" or is_loopback(host)
    if (public or not is_here) and not tokens.all():
        where = f"--public-url {options.public_url}" if public else f"--host {host}"
        raise Failure(f"with {where} others than this machine can ask, and there is no token yet: {_ADD} makes one")
    return Access(tokens, public)
