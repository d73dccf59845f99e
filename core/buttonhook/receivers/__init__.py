"""What a plugin author subclasses: the receiver base classes, their Meta, their logger, their user.

Nothing here runs a receiver or stores anything; the runner gives each instance its `RunContext`.
"""
