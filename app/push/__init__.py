"""Web Push: what wakes a device that has no stream open. Losing a push costs the wake-up; the item is in the feed.

pusher     from a committed notification to its devices' push services
message    one push: what it says, and how urgently
envelope   its encryption, for the device's eyes alone
keys       what the server signs with, and where its secret is kept
"""
