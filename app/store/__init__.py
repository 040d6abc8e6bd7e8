"""Postgres, the source of truth; the only room that knows SQLAlchemy.

commit       group commit: the one way items change
lane         where changes wait for it          writer      one transaction for a batch of changes
batch        the working set of a commit        fold        what one change does to one item (pure)
births       new items, in one round trip
statements   the SQL of a commit                feed        heads and pages of a feed
items        reading and searching items        devices     devices, acknowledgements, revocation
files        files of items, and their quota    orphans     files of no item, blobs of no file
replays      repeats, before their work is done
grants       people, tokens, tickets            upkeep      expiry and pruning
ledger       a transaction of the authorization server: codes, requests (of devices), families (of tokens)
clients      registered OAuth clients           sessions    people signed in to the pages
descriptions what clients say of themselves
throttles    attempts, counted                  accounts    passwords, and deleting all there is
security     what happened to their access      invitations  to make an account
identities   people as a provider knows them    pending     sign-ins through one that are under way
revocations  what Postgres tells of them        users       all people; disabling
answers      that are being written
push         where devices can be woken, and for what they were
uncertain    commits whose answer was lost
lineage      epochs: noticing a restore
database     connections, roles, failures       tables      the schema
schema       migrating                          revisions   migrations in order, and who runs on which (pure)
"""
