"""The actions for assistants that speak MCP (Model Context Protocol): `POST /mcp`.

door       HTTP: who may ask, one message in, one out    exchange   what one message needs, and what became of it
server     the protocol: tools and resources             tools      actions as tools
resources  items as resources                            arguments  what a tool takes
"""
