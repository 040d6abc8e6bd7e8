"""The embedded servers: found, started and supervised by Starling itself.

- `postgres`: `Postgres`, the database
- `valkey`: `Valkey`, the bus between several processes
- `embedded`: what both have in common: kept running
- `programs`: where `postgres` and `initdb` are, and of which version
- `wheels`: programs that come in Python packages
- `account`: who they run as, and how they are started
- `cluster`: the data directory: where it lies, made whole or not at all
- `postmaster`: who holds the data directory, according to its postmaster.pid
- `server`: one running postmaster
- `child`: a server program that is our child, and its log
- `lifeline`: children that do not outlive this process
- `backoff`: how long to wait before it is started again
- `sockets`: the private socket directory, and whether a server answers there
- `directories`: whom a directory must belong to before we trust it
- `startlock`: one start at a time
"""

from app.local.backoff import Backoff
from app.local.errors import LocalBusError, LocalDatabaseError, LocalServerError
from app.local.postgres import Postgres
from app.local.programs import binaries
from app.local.valkey import Valkey

__all__ = ["Backoff", "LocalBusError", "LocalDatabaseError", "LocalServerError", "Postgres", "Valkey", "binaries"]
