"""The promises of `WfmClient`: four clients, one token, one set of connections."""

import inspect

import attrs
import pytest
from support.exchange import granted, operations

from cxone_wfm import ConfigurationError, RetryPolicy, Timeouts, WfmClient, WfmConfig
from cxone_wfm._transport import HttpTransport
from cxone_wfm.testing import Answer, FakeClock, FakeTransport, fake_config, reply

SETTINGS: dict[str, object] = {
    "timeouts": Timeouts(connect=1, read=2, total=3),
    "retry": RetryPolicy(attempts=9),
    "max_batch": 1,
    "max_batch_bytes": 1234,
    "lists_applied_in_order": True,
    "heartbeat_interval": 5.0,
}
OF_THE_TOKEN_AND_THE_CONNECTIONS = {
    "base_url",
    "auth_url",
    "tenant_name",
    "access_key_id",
    "access_key_secret",
    "token_request",
    "endpoints",
    "ca_bundle",
    "proxy",
}


def client(*answers: Answer) -> tuple[WfmClient, FakeTransport]:
    transport = FakeTransport([granted(), *answers])
    return WfmClient(fake_config(), transport=transport, clock=FakeClock(now=0.0)), transport


def test_the_four_clients_share_one_token_and_nothing_is_sent_before_the_first_call() -> None:
    wfm, transport = client(reply(200), reply(200, []))
    assert not transport.requests
    wfm.heartbeat.send()
    wfm.heartbeat.acd_types()
    assert operations(transport) == ["access_key_token", "heartbeat", "acd_types"]
    assert {each._calls.tokens for each in (wfm.reports, wfm.agent_states, wfm.heartbeat)} == {wfm.auth}
    assert {each._calls.config for each in (wfm.reports, wfm.agent_states, wfm.heartbeat)} == {wfm.config}


def test_every_setting_of_the_data_calls_can_be_changed_on_a_copy() -> None:
    parameters = set(inspect.signature(WfmClient.with_options).parameters) - {"self"}
    settings = {field.name for field in attrs.fields(WfmConfig)}
    assert parameters == settings - OF_THE_TOKEN_AND_THE_CONNECTIONS == set(SETTINGS)
    assert settings >= OF_THE_TOKEN_AND_THE_CONNECTIONS


@pytest.mark.parametrize("name", SETTINGS)
def test_a_copy_differs_in_what_was_asked_and_in_nothing_else(name: str) -> None:
    wfm, _ = client()
    before = wfm.config
    copy = wfm.with_options(**{name: SETTINGS[name]})  # type: ignore[arg-type]
    assert getattr(before, name) != SETTINGS[name]
    assert copy.config == attrs.evolve(before, **{name: SETTINGS[name]})  # type: ignore[arg-type]
    assert wfm.config is before
    for each in (copy.reports, copy.agent_states, copy.heartbeat):
        assert each._calls.config is copy.config
    assert copy.heartbeat.interval == copy.config.heartbeat_interval


def test_a_setting_that_counts_as_false_is_a_setting() -> None:
    wfm, _ = client()
    copy = wfm.with_options(lists_applied_in_order=True)
    assert copy.with_options(lists_applied_in_order=False).config.lists_applied_in_order is False
    assert copy.with_options(max_batch=7).config.lists_applied_in_order is True
    with pytest.raises(ConfigurationError, match="max_batch is 0"):
        wfm.with_options(max_batch=0)


def test_a_copy_shares_token_connections_and_retry_quota() -> None:
    wfm, transport = client(reply(200), reply(200))
    copy = wfm.with_options(timeouts=Timeouts(total=7.0))
    wfm.heartbeat.send()
    copy.heartbeat.send()
    assert operations(transport) == ["access_key_token", "heartbeat", "heartbeat"]
    assert [attempt.deadline for attempt in transport.attempts] == [45.0, 45.0, 7.0]
    assert copy.auth is wfm.auth
    assert copy.heartbeat._calls.quota is wfm.heartbeat._calls.quota


def test_a_with_block_closes_the_connections_and_so_does_close() -> None:
    wfm, transport = client()
    states = []
    with wfm as entered:
        assert entered is wfm
        states.append(transport.closed)
    assert [*states, transport.closed] == [False, True]
    wfm, transport = client()
    wfm.with_options().close()
    assert transport.closed
    with pytest.raises(RuntimeError, match="closed"):
        wfm.heartbeat.send()


def test_it_can_be_made_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXONE_BASE_URL", "https://cxone.example")
    monkeypatch.setenv("CXONE_TENANT", "Tenant_Name")
    monkeypatch.setenv("CXONE_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("CXONE_ACCESS_KEY_SECRET", "secret")
    monkeypatch.setenv("CXONE_TOTAL_TIMEOUT", "9")
    with WfmClient.from_env() as wfm:
        assert wfm.config == WfmConfig.from_env()
        assert wfm.config.timeouts.total == 9.0
        assert isinstance(wfm.auth._transport, HttpTransport)


def test_an_environment_that_lacks_something_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CXONE_BASE_URL", "CXONE_TENANT", "CXONE_ACCESS_KEY_ID", "CXONE_ACCESS_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="CXONE_TENANT"):
        WfmClient.from_env()
