"""Delivery: from a committed change to the bytes on every device's socket.

hub        the room's desk: admits streams, hears what becomes of them
watch      the feeds somebody follows: what the bus says of them, the check of what it did not say
feed       one feed's tail of recent frames and its streams
fill       brings a feed up to the database
pump       brings one device up to its feed
stream     what is left of a connection: a transport and a cursor
transport  the web server's end of a connection, and how a stream takes it over
arrivals   one timer for all requests that are still arriving
answers    what is being written, on its way to live streams
visits     what happens to a stream with time
calendar   one timer for all streams
company    who else is there
sse        the bytes of an event stream (pure)
"""
