"""The daemon's outside: the REST API, who asks, what is let in, and the server that all of it runs in.

Litestar and uvicorn are used here and nowhere else. Here belongs what is about HTTP. What a user may do, and what an
act does, belongs below: a route finds out who asks, calls their `Access`, and gives the answer its shape.
"""
