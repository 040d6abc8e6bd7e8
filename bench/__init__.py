"""Speed and memory, each as a ratio to a reference that is measured in the same run: `python -m bench`.

fanout     CPU of one delivery                 against a bare `send()` loop in C
memory     memory of one idle stream           against Litestar's own `ServerSentEvent`
saves      durable saves per second            against a handler that validates the body and echoes it
server     starts and stops servers, reads /proc         accounts   users, devices and tokens, many at once
references the servers that are compared with            reference.c  the bare loop
clients    a caller that saves                 sink      another process that reads streams
results    the table and the JSON
"""
