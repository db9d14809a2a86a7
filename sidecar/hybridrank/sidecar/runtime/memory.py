"""Returns freed memory to the system, which glibc by itself mostly does not."""

import asyncio
import ctypes

# Often enough that freed memory of requests, or of an unloaded model, is returned soon. It takes 5 ms on its own
# thread; two threads that compute without a pause were as fast with a trim every half second as with one every ten.
EVERY_S = 1.0


async def trim_regularly() -> None:
    """Trims every EVERY_S seconds until cancelled.

    glibc keeps freed memory in a pool for each thread or two. Each pool keeps the maximum that a request or the loading
    of a model ever used there, so without this the process grows for a long time, with every thread and every model.
    """
    while True:
        await asyncio.sleep(EVERY_S)
        await asyncio.to_thread(trim)


def trim() -> None:
    """Returns as much memory as possible; does nothing if the C library is not glibc."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
