"""Hints between the parts that write and the parts that deliver. Losing all of them costs seconds, never data.

local      messages within one process           presence          which devices have an open stream here
redis      messages between processes            shared_presence   and in other processes
outbox     what waits to leave the process       client            Redis, with bounds
texts      the text of open answers            shared_texts      and of other processes'
"""
