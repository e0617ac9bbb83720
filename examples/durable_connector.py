"""A connector that loses nothing: what it has accepted is on the disk before it goes on.

    python examples/durable_connector.py wfm-outbox.db < feed.jsonl

Each line of the feed is an event of your ACD. Kill the program at any moment, pull the plug, cut the network,
and start it over with the same feed: what was accepted before is known and not accepted twice, and what had
not arrived in CXone is sent. The settings come from the environment: see `cxone-wfm check --help`. While it
runs, `cxone-wfm outbox status wfm-outbox.db` shows how it stands.
"""

import json
import signal
import sys
from datetime import datetime

from cxone_wfm import AgentState, WfmClient
from cxone_wfm.outbox import DurableSender, Outbox


def to_state(line: str) -> AgentState:
    """The state in one line of the feed, such as {"agent": "a@b.example", "code": "READY", "at": ...}."""
    event = json.loads(line)
    return AgentState(
        login_id=event["agent"],
        acd_id="My_ACD",
        event_code=event["code"],
        reason_code=event.get("reason", ""),
        event_utc_time=datetime.fromisoformat(event["at"]),
    )


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else "wfm-outbox.db"
    # SystemExit leaves the `with` block, which lets requests on their way end. The rest stays in the outbox.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with WfmClient.from_env() as wfm, Outbox.open(path) as outbox, DurableSender(wfm, outbox) as sender:
        for line in sys.stdin:
            receipt = sender.enqueue(to_state(line), timeout=60)
            word = "known" if receipt.duplicate else "accepted"
            print(f"{word} {receipt.stream} {receipt.seq}", flush=True)
        result = sender.flush(timeout=60)
        causes = sender.health().causes
    print(f"delivered {result.delivered}, pending {result.pending}, dead {result.dead}")
    if result.pending:
        sys.exit("\n".join(["what is pending goes out when this is started again", *causes]))


if __name__ == "__main__":
    main()
