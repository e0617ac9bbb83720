"""The promises of `cxone_wfm.errors`: data with a message that says what to do, and nothing secret."""

import copy
import pickle

import pytest

from cxone_wfm import errors
from cxone_wfm.errors import (
    APIError,
    ConfigurationError,
    CXoneError,
    Fault,
    OutcomeUnknownError,
    PayloadRejectedError,
    RateLimitedError,
    ServerError,
    TransportError,
    ValidationError,
)


def below(root):
    """Every class below `root` that `cxone_wfm.errors` defines, however deep."""
    found = []
    for cls in root.__subclasses__():
        if cls.__module__ == errors.__name__:
            found += [cls, *below(cls)]
    return found


CALL_ERRORS = [TransportError, *below(TransportError), APIError, *below(APIError)]
ALL = [cls for cls in below(CXoneError) if not cls.__name__.startswith("_")]


OUTBOX_EXAMPLES = {
    errors.OutboxLockedError: errors.OutboxLockedError("/var/lib/outbox.db", 4711),
    errors.ConflictingDuplicateError: errors.ConflictingDuplicateError(3, "the-id"),
    errors.ForkedOutboxError: errors.ForkedOutboxError(),
}


def example(cls):
    """One of each class, every attribute set to something else than its default."""
    if cls is ConfigurationError:
        return cls(["base_url is no URL", "tenant_name is empty"])
    if cls is ValidationError:
        return cls("QueueReport", [Fault("$.active", "-1", "a count")])
    if cls in OUTBOX_EXAMPLES:
        return OUTBOX_EXAMPLES[cls]
    error = cls("HTTP 500", 500, "said", "corr-1") if issubclass(cls, APIError) else cls("it broke")
    error.operation, error.request_id, error.attempts, error.delivered = "heartbeat", "req-1", 3, 7
    if hasattr(error, "retry_after"):
        error.retry_after = 2.5
    return error


def public_bases(cls):
    return [base.__name__ for base in cls.__mro__[1:] if base in {CXoneError, *ALL}]


def drawn_tree():
    """Name -> names of the classes above it, nearest first, as the docstring of the module draws it."""
    above, path = {}, []
    for line in errors.__doc__.splitlines():
        name = line.strip("│├└─ ").split(" ")[0]
        if name in errors.__all__ and line.startswith("    "):
            depth = (len(line) - len(line.lstrip("│├└─ "))) // 4 - 1
            path[depth:] = [name]
            above[name] = path[depth - 1 :: -1] if depth else []
    return above


def test_the_tree_in_the_docstring_is_the_real_one():
    real = {cls.__name__: public_bases(cls) for cls in [CXoneError, *ALL]}
    assert drawn_tree() == real


def test_every_public_class_is_exported_in_order():
    assert set(errors.__all__) == {cls.__name__ for cls in [CXoneError, *ALL]} | {"Fault"}
    assert len(errors.__all__) == len(set(errors.__all__))


@pytest.mark.parametrize("cls", ALL)
def test_every_error_survives_pickle_and_copy_with_all_its_attributes(cls):
    error = example(cls)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is cls
        assert vars(twin) == vars(error)
        assert vars(error) or cls is errors.ForkedOutboxError
        assert str(twin) == str(error)
        assert twin.args == error.args


@pytest.mark.parametrize("cls", CALL_ERRORS)
def test_the_message_of_a_call_is_never_empty_and_says_what_to_do(cls):
    bare = cls("", 0) if issubclass(cls, APIError) else cls("")
    assert str(bare) == f" (attempts 1). {cls.advice}"
    assert cls.advice.endswith(".")
    assert len(cls.advice.split()) >= 4


@pytest.mark.parametrize("cls", CALL_ERRORS)
def test_the_message_of_a_call_names_operation_attempts_and_request_id(cls):
    text = str(example(cls))
    assert text.startswith("heartbeat: ")
    assert "(attempts 3, request id req-1, 7 states confirmed before). " in text
    assert cls.advice in text


def test_each_class_that_a_caller_treats_differently_has_its_own_advice():
    advice = [cls.advice for cls in CALL_ERRORS]
    assert len(set(advice)) == len(advice)


def test_an_api_error_shows_what_the_server_said_and_its_id():
    error = PayloadRejectedError("HTTP 422", 422, "queueValue is unknown", "c-9")
    assert (error.status, error.server_message, error.correlation_id) == (422, "queueValue is unknown", "c-9")
    assert str(error) == (
        f"HTTP 422 (attempts 1). {PayloadRejectedError.advice}"
        " The server said 'queueValue is unknown'. Correlation id c-9."
    )
    assert (
        str(PayloadRejectedError("HTTP 422", 422)) == f"HTTP 422 (attempts 1). {PayloadRejectedError.advice}"
    )


def test_the_library_tries_again_exactly_where_another_try_can_help():
    retried = {cls.__name__ for cls in CALL_ERRORS if cls.retryable}
    assert retried == {
        "TransportError",
        "NotSentError",
        "OutcomeUnknownError",
        "SuspectAnswerError",
        "RateLimitedError",
        "ServerError",
    }


def test_the_message_says_how_long_the_server_asks_to_wait():
    error = RateLimitedError("HTTP 429", 429)
    assert str(error) == f"HTTP 429 (attempts 1). {error.advice}"
    error.retry_after = 30.0
    assert str(error) == f"HTTP 429 (attempts 1). {error.advice} The server asks for 30 seconds."


@pytest.mark.parametrize("cls", [RateLimitedError, ServerError])
def test_retry_after_is_none_until_the_server_says_it(cls):
    assert cls("HTTP 429", 429).retry_after is None


def test_attributes_of_a_fresh_call_error():
    error = OutcomeUnknownError("no answer")
    assert (error.detail, error.operation, error.request_id) == ("no answer", "", "")
    assert (error.attempts, error.delivered) == (1, 0)


@pytest.mark.parametrize("cls", CALL_ERRORS)
def test_without_a_token_the_message_says_that_the_data_was_not_delivered(cls):
    error = example(cls)
    assert error.no_token is False
    assert "delivered: no token" not in str(error)
    error.no_token = True
    said = str(copy.copy(error))
    assert "The data was not delivered: no token could be had." in said
    assert "may have taken it" not in said
    assert (cls.advice in said) == (cls is not OutcomeUnknownError)


def test_one_wrong_setting_is_told_in_its_own_sentence():
    assert str(ConfigurationError(["tenant_name is empty"])) == "tenant_name is empty"


def test_several_wrong_settings_are_told_one_on_each_line():
    error = ConfigurationError(["a is empty", "b is empty"])
    assert error.problems == ("a is empty", "b is empty")
    assert str(error) == "2 settings are wrong:\n  a is empty\n  b is empty"


def test_a_fault_reads_as_place_found_expected():
    assert str(Fault("$.active", "-1", "a count")) == "$.active: found -1, expected a count"


def test_a_validation_error_lists_its_faults_one_on_each_line():
    one, two = Fault("$.a", "1", "text"), Fault("$.b", "null", "text")
    assert str(ValidationError("AgentState", [one])) == f"AgentState was refused: 1 fault\n  {one}"
    assert (
        str(ValidationError("AgentState", [one, two]))
        == f"AgentState was refused: 2 faults\n  {one}\n  {two}"
    )


def test_a_very_long_list_of_faults_is_cut_in_the_text_and_whole_in_the_data():
    faults = [Fault(f"$[{i}]", "null", "text") for i in range(1000)]
    error = ValidationError("AgentStateList", iter(faults))
    lines = str(error).splitlines()
    assert len(lines) == 52
    assert lines[0] == "AgentStateList was refused: 1000 faults"
    assert lines[-1] == "  ... and 950 more in .faults"
    assert error.faults == tuple(faults)
    assert pickle.loads(pickle.dumps(error)).faults == error.faults


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (errors.OutboxFull("3 events pending"), ["is full: 3 events pending.", "Nothing was accepted"]),
        (errors.OutboxUnavailable("disk I/O error"), ["disk I/O error", "Nothing was accepted; try again"]),
        (
            errors.EnqueueOutcomeUnknown("disk I/O error"),
            ["may have been accepted or not", "Enqueue them again"],
        ),
        (OUTBOX_EXAMPLES[errors.OutboxLockedError], ["/var/lib/outbox.db", "process 4711", "PostgreSQL"]),
        (errors.OutboxLockedError("x", None), ["another process"]),
        (OUTBOX_EXAMPLES[errors.ConflictingDuplicateError], ["event 3", "the-id", "another key"]),
        (OUTBOX_EXAMPLES[errors.ForkedOutboxError], ["opened before the fork", "Open it after"]),
    ],
)
def test_an_error_of_the_outbox_says_what_happened_and_what_to_do(error, parts):
    assert [part for part in parts if part not in str(error)] == []
    assert isinstance(error, errors.OutboxError)
