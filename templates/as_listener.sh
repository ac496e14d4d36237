#!/bin/sh
# Run a command as the user `listener`, for good: it can't become root again. For Cloud Run, which needs no root.
exec env HOME=/home/listener setpriv --reuid=listener --regid=listener --init-groups --no-new-privs "$@"
