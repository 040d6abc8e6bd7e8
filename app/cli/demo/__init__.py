"""`starling demo`: a real server, three real devices and an assistant, in one process.

command    the command: story, then live, then an end in order
serving    the server it runs                   cast       who plays, let in as anywhere
person     has an account, lets others in       browser    shows pages, sends their forms
chatgpt    how ChatGPT gets its token           assistant  calls the actions as ChatGPT does
mcp        an assistant that speaks MCP         code_flow  how an assistant is let in
follower   a device that follows its stream     verdict    what a device got, held against what was saved (pure)
acts       the story, act by act                screen     what is shown of it
live       how to go on, and what the devices get then
refused    what goes wrong
"""

from app.cli.demo.command import demo

__all__ = ["demo"]
