"""Asking Spotify: ``client`` its API, ``oauth`` its accounts service, ``transport`` over HTTP with its errors."""
