"""Whether a request is let in, and as whom. Pure, but for a token's file and IAP's keys."""

from dataclasses import dataclass, field

from web.access.asked import Asked
from web.access.iap import HEADER, Iap
from web.access.public import PublicUrl
from web.access.tokens import Tokens
from web.access.visitor import RefusedError, Scope, Visitor

OWNER = Visitor("you", frozenset(Scope), "loopback")
_ELSEWHERE = (
    "Without a token only who is at this machine gets in, at http://localhost or http://127.0.0.1, and by no proxy. "
    "heavy-rotation web token add NAME makes a token."
)


@dataclass(frozen=True)
class Access:
    """Who is let in: with IAP whom it lets in, and otherwise who has a token; without ``public`` also who is here."""

    tokens: Tokens = field(default_factory=lambda: Tokens(None))
    public: PublicUrl | None = None
    iap: Iap | None = None

    @property
    def root_path(self) -> str:
        """What every path begins with that a browser is to ask for."""
        return self.public.path if self.public else ""

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds a browser's token."""
        return "__Secure-heavy-rotation" if self.public else "heavy-rotation"


def check_address(asked: Asked, access: Access) -> None:
    """Raises RefusedError where a request was meant for another server, or another site's page makes it."""
    origin = asked.headers.get("origin")
    if access.public:
        if not access.public.is_host(asked.host):
            raise RefusedError(421, f"This server is {access.public.origin}{access.public.path}, and no other.")
        origins = {access.public.origin}
    else:
        # IAP's browsers speak TLS, which ends before this server.
        origins = {f"{'https' if access.iap else asked.scheme}://{asked.host}"}
    if origin is not None and origin.lower() not in origins:
        raise RefusedError(403, "The page that asked for this is another site's: it may not.")
    if asked.is_of_another_page:
        raise RefusedError(403, "Another site's page asked for this: it may not.")


def decide(asked: Asked, access: Access) -> Visitor | None:
    """Who asks; None where they should log in. ``check_address`` comes first. Raises RefusedError."""
    if access.iap is None and "authorization" in asked.headers:
        kind, _, text = asked.headers["authorization"].partition(" ")
        if kind.lower() == "bearer" and (visitor := access.tokens.visitor(text.strip())):
            return visitor
        raise RefusedError(401, "There is no such token. It goes into the header Authorization: Bearer TOKEN.")
    _check_form(asked)  # whom a browser makes known by itself, another site's page may have sent
    if access.iap:
        return access.iap.visitor(asked.headers.get(HEADER))
    for name, value in asked.cookies:
        if name == access.cookie and (visitor := access.tokens.visitor(value)):
            return visitor
    if access.public is None and asked.is_from_here:
        return OWNER
    return None


def refusal(asked: Asked, access: Access) -> RefusedError:
    """What to say to who has no token."""
    if access.public or access.tokens.all():
        return RefusedError(401, "This needs a token, in the header Authorization: Bearer TOKEN; a browser has /login.")
    proxied = " This came by a proxy: see --public-url." if asked.is_proxied else ""
    return RefusedError(403, _ELSEWHERE + proxied)


def _check_form(asked: Asked) -> None:
    """What a page can send without asking first, a form, has to say by its Origin whose it is. JSON it cannot."""
    kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not asked.is_safe and kind != "application/json" and "origin" not in asked.headers:
        raise RefusedError(403, "A form needs the header Origin, as browsers send it.")
