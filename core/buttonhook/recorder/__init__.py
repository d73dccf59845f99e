"""The recorder: turns writes into committed changes and pending job results.

`transaction` judges one transaction on the rows that are there, `batch` decides everything that waits as one batch,
`flights` are the batches being written, `recorder` is the actor that collects, sends and answers. Nothing here knows
SQL or runs receivers.
"""
