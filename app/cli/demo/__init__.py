"""`starling demo`: a real server, three real devices and an assistant, in one process.

command    the command: story, then live, then an end in order
serving    the server it runs                   cast       the user, the devices, their tokens
acts       the story, act by act                assistant  calls the actions as ChatGPT does
follower   a device that follows its stream     verdict    what a device got, held against what was saved (pure)
screen     what the person sees                 live       how to go on, and what the devices get then
"""

from app.cli.demo.command import demo

__all__ = ["demo"]
