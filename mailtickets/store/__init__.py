"""The memory: one SQLite file behind a narrow set of typed methods. The only place with SQL."""

from mailtickets.store.database import Store
from mailtickets.store.errors import StoreBusy, StoreNewer, StoreUnusable
from mailtickets.store.trouble import StoreTrouble, store_trouble

__all__ = ["Store", "StoreBusy", "StoreNewer", "StoreTrouble", "StoreUnusable", "store_trouble"]
