"""The way in of a command that asks a daemon: what `cli.acting` promises, kept through the REST API.

Here belongs all that knows of HTTP on the side of the command: the connection, what answers become, what is waited for.
What a command prints does not belong here, nor whether a daemon is to be asked (`cli.finding`).
"""
