"""A worker like `faults.worker`, with leases of two seconds, that enqueues again until it has a receipt.

It runs as `python -m faults.failover_worker`, with its job as JSON in the environment.
"""

import json
import os

from cxone_wfm.errors import OutboxError, OutboxUnavailable
from cxone_wfm.outbox.postgres import PostgresStore
from faults import worker
from faults.ledger import Event

LEASE_SECONDS = 2.0


class Persistent(worker.Producer):
    """Does what the errors say: `OutboxUnavailable` and `EnqueueOutcomeUnknown` ask for another call."""

    def _refuse(self, events: list[Event], error: OutboxError) -> None:
        if not (isinstance(error, OutboxUnavailable) and "sender is closed" in error.reason):
            self._accept(events)


class ShortLeases(PostgresStore):
    """As a user's, but for the lease."""

    @classmethod
    def open(cls, url: str) -> PostgresStore:
        """The store."""
        return PostgresStore(url, lease_seconds=LEASE_SECONDS)


if __name__ == "__main__":
    worker.Producer = Persistent  # type: ignore[misc]
    PostgresStore.open = ShortLeases.open  # type: ignore[method-assign]
    raise SystemExit(worker.run(worker.Job(**json.loads(os.environ[worker.JOB]))))
