"""The least that an HTTP server of this kind does: a bare Litestar route that sends the body of a PUT back.

On uvicorn with the daemon's settings. What the daemon answers is told beside it: `python -m benchmarks.echo PORT`.
"""

import sys
from typing import Any

import uvicorn
from litestar import Litestar, put
from litestar.params import FromPath, JSONBody


@put("/api/objects/{object_type:str}/{pk:str}")
async def echo(object_type: FromPath[str], pk: FromPath[str], data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    """What came, with where it came to."""
    return {"object_type": object_type, "pk": pk, "document": data}


def main() -> None:
    application = Litestar([echo], openapi_config=None, logging_config=None)
    uvicorn.run(
        application,
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
