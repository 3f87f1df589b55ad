"""The memory: one SQLite file behind a narrow set of typed methods. The only place with SQL."""

from mailtickets.store.database import Store, StoreBusy, StoreNewer, StoreUnusable

__all__ = ["Store", "StoreBusy", "StoreNewer", "StoreUnusable"]
