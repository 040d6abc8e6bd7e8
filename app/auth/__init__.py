"""Who a request acts as, and how one comes to act as somebody.

tokens        credentials and the principals behind them
oauth         what the OAuth endpoints do       server        Authlib's server on one transaction
grants        codes, devices' codes, refresh    asked         its requests and answers
clients       who asks                          redirects     where answers may go
metadata      what clients read first           registration  clients that register themselves
documents     clients whose id is a URL, where they describe themselves
people        signing up and in                 passwords     argon2id
failures      wrong passwords, as events
upstream      signing in through a provider      provider      the provider, over HTTP
idtokens      what it signed                     browsers      what one browser alone can bring back
activation    letting a device in               usercodes     what is typed for that
"""
