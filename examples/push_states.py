"""Send what two agents do now. The settings come from the environment: see `cxone-wfm check --help`.

Run it with `python examples/push_states.py`. Without an account, start `cxone-wfm simulate` in another
terminal and use the settings that it prints.
"""

from datetime import datetime, timezone

from cxone_wfm import AgentState, WfmClient

NOW = datetime.now(timezone.utc)
EVENTS = [
    ("ann@shop.example", "READY", ""),
    ("bob@shop.example", "BREAK", "lunch"),
]


def main() -> None:
    states = [
        AgentState(login_id=login, acd_id="My_ACD", event_code=code, reason_code=reason, event_utc_time=NOW)
        for login, code, reason in EVENTS
    ]
    with WfmClient.from_env() as wfm:
        sent = wfm.agent_states.send(states)
    print(f"CXone confirmed {sent.states} agent states")


if __name__ == "__main__":
    main()
