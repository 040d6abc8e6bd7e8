"""One running postmaster that is our child."""

import signal
from collections.abc import Mapping
from pathlib import Path

from app.local.child import Child
from app.local.cluster import Cluster
from app.local.sockets import PORT, socket_file

DEFAULTS = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Messages and statements quote what people wrote; the server's own log names errors by their SQLSTATE.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
STILL_HELD = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
# A fast shutdown writes a checkpoint; an immediate one leaves recovery to the next start; the last asks nobody.
SHUTDOWN = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


class Server(Child):
    """A postmaster from its fork to its end."""

    def __init__(self, cluster: Cluster, socket_directory: Path, settings: Mapping[str, str], logfile: Path) -> None:
        """Forks it; it does not accept connections yet. `settings` win over the defaults, not over the socket's."""
        fixed = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(socket_directory),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
        }
        options = [part for item in (DEFAULTS | dict(settings) | fixed).items() for part in ("-c", "=".join(item))]
        super().__init__(
            "postgres",
            [cluster.programs.postgres, "-D", str(cluster.home), *options],
            account=cluster.account,
            socket=socket_file(socket_directory),
            logfile=logfile,
            shutdown=SHUTDOWN,
        )

    def predecessor_lives(self) -> bool:
        """Whether it ended because processes of an earlier postmaster still use the cluster: worth another try."""
        return any(reason in self.last_words() for reason in STILL_HELD)
