"""What is read from /proc: whose CPU is the server's, and whose is its helpers'."""

from pathlib import Path

from bench import server


def test_workers_count_as_the_server_and_helpers_do_not() -> None:
    with server.data_directory() as directory, server.starling(directory, workers=2) as running:
        workers = set(running.workers())
        postgres, valkey = set(running.helpers()), set(running.helpers(server.VALKEY))
        together = sum(map(server.cpu_s, workers))
        assert running.cpu_s() >= together > 0
    assert len(workers) == 2
    assert len(valkey) == 1
    assert len(postgres) > 2
    assert not workers & (postgres | valkey)


def test_a_process_that_is_gone_uses_nothing() -> None:
    nobody = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    assert server.cpu_s(nobody) == 0
    assert server.rss_bytes(nobody) == 0
