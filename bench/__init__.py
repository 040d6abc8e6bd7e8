"""Speed and memory, each as a ratio to a reference that is measured in the same run: `python -m bench`.

fanout     CPU of one delivery, one feed          against a bare `send()` loop in C
feeds      CPU of one delivery, random feeds      against the same
memory     memory of one idle stream              against Litestar's own `ServerSentEvent`
saves      durable saves per second               against a handler that validates the body and echoes it
latency    from an action to its event            against a single-row commit by pgbench
catchup    items a second to one that was away    against `COPY` of the same columns
reconnect  queries when nothing changed
storm      all devices at once on a fresh server
growth     publishing with many items or feeds    against the same with few
workers    saves of two workers behind one port   against one
bus        what the bus costs, and how late it is against the same process

server     starts and stops servers, reads /proc         accounts   users, devices and tokens, many at once
references the servers that are compared with            reference.c  the bare loop
database   items in bulk, psql, pgbench
clients    callers that save                             probe      saves and deliveries on one clock
sink       another process that reads streams            readers    what that process does
pair       two servers with one database and bus
results    the table and the JSON                        plot       the picture
"""
