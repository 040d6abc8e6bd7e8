"""Starling, room by room. Imports point downwards only.

cli        the command                      main       the composition root
api        HTTP: thin edges                 actions    the write path: what callers may ask for
auth       tokens and who holds them        hub        the read path: streams, and what is written to them
web        what people see                  gauges     how things stand
store      Postgres                         bus        hints between those who write and those who deliver
local      the embedded Postgres            outbound   requests to URLs that callers name
blobs      content of files                 providers  model APIs → text, as it comes
push       waking devices that sleep
telemetry  logs and metric names            settings   all configuration
shared     reads that callers share         doors      what hosts of assistants are given
events     reading event streams            limits     how often each may ask
model      the vocabulary                   errors     every error
"""
