"""Work that the server must be able to end: a query in SQL, an import, a rebuild. Each in a process of its own."""
