"""Gives memory that was freed back to the system, which glibc by itself mostly does not."""

import asyncio
import ctypes

# Often enough that what requests, or an unloaded model, held is not held for long. It takes 5 ms on its own thread; two
# threads that compute without a pause were as fast with a trim every half second as with one every ten.
EVERY_S = 1.0


async def trim_regularly() -> None:
    """Trim every EVERY_S seconds until cancelled.

    glibc keeps what is freed in a pool for each thread or two. Each keeps the most that a request or the loading of a
    model ever took there, so without this the process grows for a long time, with every thread and every model.
    """
    while True:
        await asyncio.sleep(EVERY_S)
        await asyncio.to_thread(trim)


def trim() -> None:
    """Give back what can be given back; does nothing where the C library is not glibc."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
