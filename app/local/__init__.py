"""The embedded Postgres: found, started and supervised by Starling itself.

- `postgres`: `Postgres`, what the rest of Starling uses
- `programs`: where `postgres` and `initdb` are, and of which version
- `account`: who they run as, and how they are started
- `cluster`: the data directory: where it lies, made whole or not at all
- `postmaster`: who holds the data directory, according to its postmaster.pid
- `server`: one running postmaster that is our child
- `sockets`: the private socket directory, and whether a server answers there
- `directories`: whom a directory must belong to before we trust it
- `startlock`: one start at a time
"""

from app.local.errors import LocalDatabaseError
from app.local.postgres import Postgres
from app.local.programs import binaries

__all__ = ["LocalDatabaseError", "Postgres", "binaries"]
