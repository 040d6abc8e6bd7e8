"""What tests run against: real people in a real database, a real server, and clients that write down what they saw.

people     a person with devices, tokens and a connection of their own
listener   a device's stream: raw sockets, our decoder, a log of every event
live       a server in this process
process    a server as a process of its own, to be killed
waiting    deadlines on conditions
"""
