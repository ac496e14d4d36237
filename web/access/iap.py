"""Google's Identity-Aware Proxy: the header that it signs says who asks.

https://cloud.google.com/iap/docs/signed-headers-howto has what is checked: the signature by one of Google's published
keys, ES256 and no other, the issuer, the audience, and the time.
"""

import threading
import time
from collections.abc import Callable, Mapping

from web.access.visitor import RefusedError, Scope, Visitor

HEADER = "x-goog-iap-jwt-assertion"
KEYS = "https://www.gstatic.com/iap/verify/public_key"
ISSUER = "https://cloud.google.com/iap"
_SKEW_SECONDS = 30
_KEPT_SECONDS = 3600.0
# Google may sign with a key that is newer than those kept; who makes key ids up must not make us ask all the time.
_ASKED_AGAIN_SECONDS = 60.0
_LONGEST = 16_384


class Iap:
    """Checks the header for one audience, ``/projects/N/locations/R/services/S``. For any number of threads."""

    def __init__(self, audience: str, keys: str = KEYS, clock: Callable[[], float] = time.monotonic) -> None:
        """``keys`` is where the public keys are, as a JSON object of PEM by key id. ``clock`` counts seconds."""
        self.audience, self._keys_at, self._clock = audience, keys, clock
        self._keys: Mapping[str, str] = {}
        self._asked = float("-inf")
        self._lock = threading.Lock()

    def visitor(self, assertion: str | None) -> Visitor:
        """Whom IAP let in; may wait for the network. Raises RefusedError 401, and 503 where the keys cannot be had."""
        from google.auth import jwt
        from google.auth.exceptions import GoogleAuthError

        if not assertion or len(assertion) > _LONGEST:
            raise RefusedError(401, "This server answers only through Google's Identity-Aware Proxy.")
        try:
            header = jwt.decode_header(assertion)  # type: ignore[no-untyped-call]
            if header.get("alg") != "ES256" or not isinstance(header.get("kid"), str):
                raise RefusedError(401, "The proxy's signature is not of the kind that IAP makes.")
            keys = self._keys_with(header["kid"])
            claims = jwt.decode(  # type: ignore[no-untyped-call]
                assertion, keys, audience=self.audience, clock_skew_in_seconds=_SKEW_SECONDS
            )
            if claims.get("iss") != ISSUER:
                raise RefusedError(401, "Another one than IAP signed this.")
            name = str(claims["email"])
        except (GoogleAuthError, AttributeError, KeyError, TypeError, ValueError):
            # What was wrong with it is for who made it up to find out.
            raise RefusedError(401, "IAP did not sign this, not for this server, or not just now.") from None
        return Visitor(name, frozenset({Scope.READ, Scope.SQL}), "iap")

    def _keys_with(self, key_id: str) -> Mapping[str, str]:
        """Google's keys, asked for again each hour, and where a new one may have come."""
        import requests  # here: without IAP nobody is asked

        with self._lock:
            age = self._clock() - self._asked
            if age > _KEPT_SECONDS or (key_id not in self._keys and age > _ASKED_AGAIN_SECONDS):
                try:
                    answer = requests.get(self._keys_at, timeout=5)
                    answer.raise_for_status()
                    keys = answer.json()
                    if not isinstance(keys, dict):
                        raise ValueError("no JSON object")
                    self._keys, self._asked = keys, self._clock()
                except (requests.RequestException, ValueError):
                    if not self._keys:
                        raise RefusedError(503, "Google's keys cannot be had, so nobody can be let in.") from None
                    self._asked = self._clock() - _KEPT_SECONDS + _ASKED_AGAIN_SECONDS  # the old ones, for a minute
            return self._keys
