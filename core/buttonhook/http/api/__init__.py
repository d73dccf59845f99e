"""The routes of the REST API, one module a resource; each ends with its `ROUTES`.

Here belongs reading a request, calling the asker's `Access`, and choosing the answer. What an answer looks like is in
`shapes`; what is true for all routes is in the modules beside this package.
"""
