"""What a login gave (``grants``), for which app (``apps``), and where it is kept (``stores``, ``secret_manager``)."""
