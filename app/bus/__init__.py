"""Hints between the parts that write and the parts that deliver. Losing all of them costs seconds, never data.

local      messages within one process
presence   which devices have an open stream
"""
