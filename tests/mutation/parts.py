"""What is mutated, and which tests have to notice: those of the module itself, none that start a server."""

from attrs import frozen


@frozen(kw_only=True)
class Part:
    """Some modules that do one thing, and the tests that hold its promises."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    leave_out: tuple[str, ...] = ()
    """Tests that take seconds, or a process of their own."""
    keywords: str = ""
    """Which of the tests, as pytest's `-k` has it; empty: all."""


PARTS = (
    Part(
        name="mulaw",
        modules=("cxone_assist/mulaw.py",),
        tests=("tests/assist/test_mulaw.py",),
    ),
    Part(
        name="retry",
        modules=("cxone_wfm/_retry.py",),
        tests=("tests/wfm/test_retry.py",),
    ),
    Part(
        name="intervals",
        modules=("cxone_wfm/intervals.py",),
        tests=("tests/wfm/test_intervals.py",),
        leave_out=(
            "tests/wfm/test_intervals.py::test_every_change_of_the_clocks_in_every_zone_leaves_no_gap_and_no_duplicate",
            "tests/wfm/test_intervals.py::test_between_changes_every_offset_in_use_has_days_of_96_intervals",
            "tests/wfm/test_intervals.py::test_the_module_stands_alone_and_loads_dateutil_only_for_local_days",
        ),
    ),
    Part(
        name="protocol",
        modules=("cxone_assist/protocol.py",),
        tests=("tests/assist/test_protocol.py", "tests/assist/test_states.py"),
    ),
    Part(
        name="auth",
        modules=("cxone_wfm/auth.py",),
        tests=("tests/wfm/test_auth.py",),
    ),
    Part(
        name="aggregation",
        modules=("cxone_wfm/connector/aggregation.py", "cxone_wfm/connector/_totals.py"),
        tests=("tests/wfm/connector/test_aggregation.py",),
        leave_out=tuple(
            f"tests/wfm/connector/test_aggregation.py::test_{name}"
            for name in (
                "every_figure_of_every_interval_is_what_a_count_by_brute_force_gives",
                "the_intervals_of_the_local_day_are_all_there_also_when_the_clocks_change",
                "the_same_day_in_another_order_gives_the_same_reports",
                "a_day_as_it_comes_ends_with_the_same_figures_after_its_corrections",
                "sums_over_the_day_are_the_sums_over_the_raw_records",
            )
        ),
    ),
    Part(
        name="dispatch",
        modules=("cxone_wfm/outbox/dispatch.py", "cxone_wfm/outbox/_breaker.py"),
        tests=("tests/wfm/outbox/test_dispatch.py",),
    ),
    Part(
        name="window",
        modules=("cxone_wfm/outbox/_window.py",),
        tests=("tests/wfm/outbox/test_window.py",),
    ),
    Part(
        name="identity",
        modules=("cxone_wfm/outbox/identity.py",),
        tests=("tests/wfm/outbox/test_identity.py",),
    ),
    Part(
        name="rows",
        modules=tuple(
            f"cxone_wfm/outbox/{name}.py"
            for name in ("_accept", "_sets", "_receipts", "_counters", "_events")
        ),
        tests=("tests/wfm/outbox/test_conformance.py", "tests/wfm/outbox/test_database.py"),
        leave_out=(
            "tests/wfm/outbox/test_conformance.py::test_a_stuck_stream_with_a_long_queue_does_not_stop_the_others",
            "tests/wfm/outbox/test_conformance.py::test_a_backlog_drains_in_the_order_of_each_stream",
            "tests/wfm/outbox/test_conformance.py::test_many_threads_get_dense_numbers_and_lose_nothing",
            "tests/wfm/outbox/test_database.py::test_a_forked_child_refuses_and_leaves_the_parents_file_alone",
            "tests/wfm/outbox/test_database.py::test_the_file_shrinks_when_it_is_drained",
        ),
        keywords="not postgres",
    ),
    Part(
        name="outbox",
        modules=("cxone_wfm/outbox/outbox.py", "cxone_wfm/outbox/limits.py"),
        tests=("tests/wfm/outbox/test_outbox.py",),
        leave_out=(
            "tests/wfm/outbox/test_outbox.py::test_a_forked_child_is_refused_at_once_whatever_the_parent_was_doing",
        ),
    ),
)
