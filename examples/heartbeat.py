"""Beat until Ctrl-C, and say when the link to CXone WFM comes and goes. The settings: the environment.

Run it with `python examples/heartbeat.py`, against CXone or against `cxone-wfm simulate`.
"""

import threading

from cxone_wfm import HeartbeatMonitor, HeartbeatStatus, WfmClient


def say_up(_: HeartbeatStatus) -> None:
    print("CXone WFM is there", flush=True)


def say_down(status: HeartbeatStatus) -> None:
    print(f"CXone WFM is not there: {status.last_error}", flush=True)


def main() -> None:
    try:
        with WfmClient.from_env() as wfm, HeartbeatMonitor(wfm.heartbeat, on_up=say_up, on_down=say_down):
            threading.Event().wait()
    except KeyboardInterrupt:
        print("no more beats")


if __name__ == "__main__":
    main()
