"""Thin HTTP edges: read the request, call the action, answer. Litestar lives here and in `app.main`.

actions    the custom GPT's operations         items, changes, devices, me   the device API
stream     GET /v1/stream, tickets             health                        is it alive, is it ready
files      /v1/files                           downloads, ranges             a file as a response, parts of it
oauth      the OAuth endpoints for programs    openapi                       the documents of all that
routes     what goes with an access token      declared                      what handlers say for the documents
visits     browsers: sessions, forms, pages    pages      all pages: signing, consent, account
requests   bodies, principals, conversations   problems                      every error, rendered once
archive    all of a person, as a zip
cors       who may call from a browser         services                      what the handlers are given
measured   counts and times every reply        limited                       what requests cost
parameters of queries, as they are declared    options                       what OPTIONS answers
deadline   how long assistants wait
mcp        the actions for assistants that speak MCP
"""
