"""The command line: flags, tables, progress bars, exit codes.

Here belongs what people type and what they see of it. What a command does is done by the app below; what a
plugin author or a host program could want too does not belong here.
"""
