"""The promises of the records against hostile documents, and for secrets: bounded, and never shown."""

import json
import pickle

import attrs
import pytest
from support.page import TOKEN_ANSWER
from support.records import (
    CANARY,
    JSON,
    ONCE,
    SECONDS,
    SECRET,
    SMALLEST,
    STATE,
    both_writers,
    faults_of,
    read_faults,
    refusal,
)

from cxone_wfm import _json
from cxone_wfm.errors import Fault
from cxone_wfm.models import (
    AccessKeyTokenRequest,
    AgentState,
    QueueReport,
    RefreshTokenRequest,
    RefreshTokenResponse,
    TokenRequest,
    TokenResponse,
)
from cxone_wfm.secrets import Secret

writer = both_writers()


# --- hostile documents --------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [AgentState, TokenResponse])
@pytest.mark.parametrize("bomb", ["[" * 200_000 + "]" * 200_000, '{"a":' * 200_000 + "1" + "}" * 200_000])
def test_a_nesting_bomb_is_refused_wherever_it_stands(record, bomb):
    key = next(iter(SMALLEST[record]))
    for text in (bomb, f'{{"{key}":{bomb}}}', f'{{"x":{bomb}}}'):
        assert faults_of(lambda text=text: record.from_json(text)) == [
            ("$", "lists or objects nested too deep", "a JSON document in UTF-8")
        ]


@pytest.mark.parametrize("key", ["expires_in", "x"])
def test_an_answer_may_be_nested_up_to_the_bound_and_no_deeper(key, writer):
    def answer(levels):
        return f'{{"access_token":"t","{key}":{"[" * levels}{"]" * levels}}}'

    at_bound = TokenResponse.from_json(answer(63 if key == "x" else 64))
    assert TokenResponse.from_json(at_bound.to_json()) == at_bound
    assert faults_of(lambda: TokenResponse.from_json(answer(65))) == [(f"$.{key}", "a list", JSON)]


def test_a_deep_list_in_what_users_write_is_a_list_where_none_may_be():
    assert read_faults(QueueReport, handleTime=json.loads("[" * 500 + "]" * 500)) == [
        ("$.handleTime", "a list", SECONDS)
    ]


@pytest.mark.parametrize("form", [str, bytes])
def test_a_document_beyond_the_bound_is_refused_before_it_is_read(monkeypatch, form):
    monkeypatch.setattr(_json, "MAX_DOCUMENT_BYTES", 100)
    text = json.dumps({**STATE, "loginId": "x" * 100})
    document, unit = (text, "characters") if form is str else (text.encode(), "bytes")
    assert faults_of(lambda: AgentState.from_json(document)) == [
        ("$", f"a document of {len(text)} {unit}", f"at most 100 {unit}")
    ]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (b'{"token":"\xff"}', "a byte that is not UTF-8 at offset 10"),
        ('{"token":"é"}'.encode("utf-16"), "a byte that is not UTF-8 at offset 0"),
        ('{"token":"t"}'.encode("utf-16-le"), None),
        ('{"token":"t"}'.encode("utf-32"), "a byte that is not UTF-8 at offset 0"),
        (b'{"token":"\xed\xa0\x80"}', "a byte that is not UTF-8 at offset 10"),
        (b"", "text that is not JSON: Expecting value at line 1 column 1"),
        ("{'token': 't'}", None),
        ('{"token":"t"} x', "text that is not JSON: Extra data at line 1 column 15"),
        ('{"token":"t"', None),
        ('{"token":"\n"}', None),
        ('{"token":' + "9" * 5000 + "}", "a number with too many digits"),
        ("\ufeff\ufeff{}", None),
    ],
)
def test_what_is_no_json_in_utf8_is_refused_and_its_text_not_shown(document, found):
    ((path, told, expected),) = faults_of(lambda: RefreshTokenRequest.from_json(document))
    assert (path, expected) == ("$", "a JSON document in UTF-8")
    assert told == found or (found is None and told.startswith("text that is not JSON: "))


def test_a_parsers_error_does_not_carry_the_document_along():
    error = refusal(lambda: RefreshTokenRequest.from_json(f'{{"token": "{CANARY}" oops'))
    assert error.__cause__ is None
    assert error.__context__ is None


def test_many_keys_of_which_some_repeat_are_counted_in_one_pass():
    text = "{" + ",".join(f'"k{i}":0' for i in range(60_000)) + ',"queueValue":"1","k7":0}'
    told = faults_of(lambda: QueueReport.from_json(text))
    assert ("$.k7", *ONCE) in told
    assert len(told) == 60_001


# --- secrets ------------------------------------------------------------------------------------------

SECRET_FIELDS = [
    (AccessKeyTokenRequest, "accessKeyId"),
    (AccessKeyTokenRequest, "accessKeySecret"),
    (RefreshTokenRequest, "token"),
    (TokenResponse, "id_token"),
    (TokenResponse, "refresh_token"),
    (TokenResponse, "access_token"),
    (RefreshTokenResponse, "token"),
    (RefreshTokenResponse, "refreshToken"),
]
HIDDEN = 86_753_091


def shown(error):
    """Everything that a log of the error could hold."""
    chain = [error, error.__cause__, error.__context__]
    return "".join(
        f"{each!s}{each!r}{getattr(each, 'args', '')}{getattr(each, '__dict__', '')}" for each in chain
    )


@pytest.mark.parametrize(("record", "key"), SECRET_FIELDS)
def test_a_secret_is_in_the_json_and_nowhere_else(record, key, writer):
    made = record.from_json(json.dumps({**SMALLEST[record], key: CANARY}))
    assert CANARY in made.to_json().decode()
    assert CANARY not in f"{made}{made!r}{attrs.asdict(made)}"
    with pytest.raises(TypeError) as caught:
        pickle.dumps(made)
    assert CANARY not in shown(caught.value)


@pytest.mark.parametrize(("record", "key"), SECRET_FIELDS)
@pytest.mark.parametrize(
    ("value", "found"),
    [
        (HIDDEN, "a number"),
        ([HIDDEN], "a list"),
        ({"a": HIDDEN}, "an object"),
        (f"{HIDDEN}\ud800", "text"),
        (HIDDEN + 0.5, "a number"),
        (True, "true or false"),
    ],
)
def test_a_fault_of_a_secret_does_not_show_it(record, key, value, found):
    document = {**SMALLEST[record], key: value}
    error = refusal(lambda: record.from_json(json.dumps(document)))
    assert error.faults == (Fault(f"$.{key}", found, SECRET),)
    assert str(HIDDEN) not in shown(error)


def test_a_secret_where_an_object_belongs_is_not_shown_either():
    for error in (
        refusal(lambda: TokenRequest.from_json({"accessKeyTokenRequest": CANARY})),
        refusal(lambda: TokenRequest(access_key_token_request=CANARY)),
        refusal(lambda: TokenResponse.from_json({"access_token": "t", "x": f"{CANARY}\ud800"})),
        refusal(lambda: RefreshTokenResponse(token="t", session_id={CANARY})),
    ):
        assert CANARY not in shown(error)


def test_a_session_id_and_unknown_keys_of_an_answer_are_not_shown():
    answer = RefreshTokenResponse.from_json({"token": "t", "sessionId": CANARY, "other": CANARY})
    assert answer.session_id == CANARY
    assert CANARY not in repr(answer)


@pytest.mark.parametrize("value", [HIDDEN, None, [HIDDEN], b"86753091"])
def test_a_secret_is_built_from_text_alone(value):
    error = refusal(lambda: AccessKeyTokenRequest(access_key_id=value, access_key_secret=Secret("s")))
    assert [(fault.path, fault.expected) for fault in error.faults] == [("$.accessKeyId", SECRET)]
    assert str(HIDDEN) not in shown(error)


def test_no_secret_is_none_where_the_answer_has_none():
    assert TokenResponse(access_token="t").refresh_token is None
    assert TokenResponse(access_token="t", refresh_token="r").refresh_token == Secret("r")
    assert json.loads(TOKEN_ANSWER)["refresh_token"] == ""
    assert TokenResponse.from_json(TOKEN_ANSWER).refresh_token == Secret("")
