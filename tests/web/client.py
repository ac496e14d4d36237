"""Asks an ASGI application as a browser or a program elsewhere would, from any address, without a network."""

import asyncio
from typing import Any

import httpx


class Client:
    """httpx's client, to be called from where nothing is asynchronous. Redirects are not followed; cookies are kept."""

    def __init__(
        self, app: Any, base: str, *, address: str = "127.0.0.1", headers: dict[str, str] | None = None
    ) -> None:
        self._transport = httpx.ASGITransport(app=app, client=(address, 50_000), raise_app_exceptions=True)
        self._base, self._headers = base, headers or {}
        self.cookies = httpx.Cookies()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url=self._base, headers=self._headers, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, **options)
                self.cookies = client.cookies
                return answer

        return asyncio.run(asked())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)
