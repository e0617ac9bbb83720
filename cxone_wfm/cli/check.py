"""`cxone-wfm check`: from the configuration to the first heartbeat, step by step."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from ..client import WfmClient
from ..config import WfmConfig
from .output import Output
from .steps import Steps


def check(output: Output) -> int:
    """Run the steps until one fails. Gives the exit code."""
    steps = Steps(output)
    with ExitStack() as stack:
        clients: list[WfmClient] = []

        def configuration() -> str:
            config = WfmConfig.from_env()
            clients.append(stack.enter_context(WfmClient(config)))
            return f"{config.base_url}, tenant {config.tenant_name}"

        def token() -> str:
            held = clients[0].auth.access_token()
            life = held.expires_at - time.monotonic()
            return f"good for {life:.0f} s, {'can' if held.refresh_token else 'cannot'} be refreshed"

        def acd_types() -> str:
            return ", ".join(clients[0].heartbeat.acd_types().names) or "CXone names none"

        def heartbeat() -> str:
            clients[0].heartbeat.send()
            return "confirmed"

        plan: list[tuple[str, Callable[[], str]]] = [
            ("configuration", configuration),
            ("token", token),
            ("ACD types", acd_types),
            ("heartbeat", heartbeat),
        ]
        ok = all(steps.run(name, step) for name, step in plan)
    output.document({"ok": ok, "steps": steps.results})
    return 0 if ok else 1
