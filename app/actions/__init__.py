"""The write path and its questions: what an assistant, a device or a person may ask for. Every door calls these.

items      save, update, delete, get, find       changes    the feed as pages; what devices did, offline included
devices    list, rename, revoke, acknowledge     receipts   who has it, and waiting for that
files      upload, download                      intake     content on its way to an item
sharing    files of a conversation, taken in     handing    files of an item, given to a host
access     scopes                                replays    how a repeat is known
bodies     what callers send, validated          invalid    the error that a bad body gets
answers    what callers get                      fitted     the same for assistants, within their limits
names      of files, as strangers give them
answering  ask a model, stop it                  scribe     writes what it says, to its end
notifications   items that ask for attention now
push       where a device can be woken
"""
