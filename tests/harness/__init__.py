"""What tests run against: real people in a real database, a real server, and clients that write down what they saw.

Everywhere      people     a person with devices and tokens      listener   a device's stream and a log of its events
                live       a server in this process              process    a server as a process of its own
                waiting    deadlines on conditions               problems   what an error looks like
                raw        requests as bytes                     offline    what a device did while offline
                afresh     a fresh read of the state             directories for clusters
                buses      a bus between processes, played by objects
                uploads    a device that uploads and downloads   buckets    an S3 server
The hub         room       a hub whose devices only write down
Faults          journal    what clients asked and were told      checker    names what went wrong in it
                survivors  clients that outlive kills            trial      servers, clients and the verdict
                build      servers, also broken ones             killing    processes and their children
                proxy      loses connections around COMMIT       outage     a database that is away
                halfopen   a device behind a cable to pull
                smalldisk  a server on a disk that can fill up   clocks     a server whose clock is wrong
                counts     how much is done                      cases      what is proved, and the table of it
Broken servers  hasty      says 201 before it commits            speechless dies between commit and telling
                wallclock  believes its own clock
A random walk   world      all that can happen to a feed         seat       a device of it
                judge      the verdict on it                     oracle     what the database says
"""
