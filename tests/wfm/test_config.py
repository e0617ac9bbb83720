"""The promises of `cxone_wfm.config`: every default once, every problem at once, no secret shown."""

import pickle
from pathlib import Path

import attrs
import certifi
import pytest
import trustme

from cxone_wfm.config import Endpoints, RetryPolicy, Route, Timeouts, WfmConfig
from cxone_wfm.errors import ConfigurationError
from cxone_wfm.secrets import Secret

CANARY = "canary-7d1f"
NEEDED = {
    "CXONE_BASE_URL": "https://asc.cxone.example",
    "CXONE_TENANT": "Tenant_Name",
    "CXONE_ACCESS_KEY_ID": f"id-{CANARY}",
    "CXONE_ACCESS_KEY_SECRET": f"secret-{CANARY}",
}


def config(**settings):
    given = {
        "base_url": "https://asc.cxone.example",
        "tenant_name": "Tenant_Name",
        "access_key_id": f"id-{CANARY}",
        "access_key_secret": f"secret-{CANARY}",
    }
    return WfmConfig(**{**given, **settings})


def problems(**settings):
    with pytest.raises(ConfigurationError) as caught:
        config(**settings)
    return list(caught.value.problems)


# --- the defaults --------------------------------------------------------------------------------------


def test_what_is_not_given_takes_the_documented_default():
    made = config()
    assert made.auth_url is None
    assert made.token_request == "nested"
    assert made.timeouts == Timeouts(connect=5.0, read=30.0, total=45.0)
    assert made.retry == RetryPolicy(attempts=3, first_wait=0.5, longest_wait=60.0)
    assert (made.max_batch, made.max_batch_bytes, made.heartbeat_interval) == (500, 524288, 30.0)
    assert (made.lists_applied_in_order, made.ca_bundle, made.proxy) == (False, None, None)
    assert attrs.asdict(made.endpoints, recurse=False) == {
        "access_key_token": Route("POST", "/authentication/v1/token/access-key"),
        "refresh_token": Route("POST", "/public/user/refresh"),
        "agent_states": Route("POST", "/asc-manager/v1/agent-states"),
        "agent_activity_report": Route("POST", "/asc-manager/v1/agent-activity-report"),
        "historical_report": Route("POST", "/asc-manager/v1/historical-report"),
        "acd_types": Route("GET", "/asc-manager/v1/acd-types"),
        "heartbeat": Route("POST", "/asc-manager/v1/heartbeat"),
    }


def test_slashes_at_the_end_of_a_base_url_do_not_count():
    made = config(base_url="https://asc.cxone.example/wfm//", auth_url="https://auth.cxone.example/")
    assert made.base_url == "https://asc.cxone.example/wfm"
    assert made.auth_url == "https://auth.cxone.example"


def test_settings_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config().base_url = "https://other.example"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config().timeouts.total = 1


# --- base_url and auth_url -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://asc.cxone.example",
        "https://asc.cxone.example:8443/wfm/v2",
        "HTTPS://ASC.cxone.example",
        "https://10.0.0.7",
        "https://[2001:db8::1]:8443",
        "http://127.0.0.1:8080",
        "http://localhost:8080/base",
        "http://[::1]:8080",
    ],
)
def test_https_anywhere_and_http_to_this_machine_are_taken(url):
    assert config(base_url=url).base_url == url
    assert config(auth_url=url).auth_url == url


@pytest.mark.parametrize("name", ["base_url", "auth_url"])
@pytest.mark.parametrize(
    "url",
    [
        "",
        5,
        b"https://asc.cxone.example",
        "asc.cxone.example",
        "ftp://asc.cxone.example",
        "https://",
        "https:///path",
        "https://host:port",
        "https://host:99999",
        "https://[::1",
        "https://[::1]x",
        "https://[::1]x:443",
        "https://[::::]",
        "https://.host.example",
        "https://ho st",
        "https://höst.example",
        "https://host.example\n",
        " https://host.example",
        "https://ho\tst.example",
        "https://host\\.example",
    ],
)
def test_what_is_no_url_is_refused(name, url):
    assert problems(**{name: url}) == [f"{name} is no URL; it must look like https://host"]


def test_a_base_url_is_needed_and_an_auth_url_is_not():
    assert problems(base_url=None) == ["base_url is no URL; it must look like https://host"]
    assert config(auth_url=None).auth_url is None


@pytest.mark.parametrize("name", ["base_url", "auth_url"])
@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{CANARY}@host.example",
        f"https://{CANARY}@host.example",
        "https://@host.example",
        f"https://host.example?key={CANARY}",
        f"https://host.example/a#{CANARY}",
        "https://host.example?",
        "https://host.example#",
    ],
)
def test_user_password_query_and_fragment_are_refused_and_not_shown(name, url):
    (problem,) = problems(**{name: url})
    assert problem == f"{name} must hold neither user, password, query nor fragment"


@pytest.mark.parametrize("path", ["/a//b", "/a/../b", "/..", '/a"b', "/a\\b", "/ä"])
def test_a_base_path_that_cannot_be_sent_is_refused(path):
    assert problems(base_url=f"https://host.example{path}") == [
        "base_url: the path in it is not one that can be sent"
    ]


@pytest.mark.parametrize(
    "host",
    ["asc.cxone.example", "127.0.0.2", "127.0.0.1.example", "localhost.example", "0.0.0.0", "[::2]", "[::]"],
)
def test_plain_http_leaves_this_machine_never(host):
    assert problems(base_url=f"http://{host}") == [
        "base_url must be https; plain http is only for this machine (127.0.0.1, ::1, localhost)"
    ]


def test_one_wrong_url_for_both_is_told_once():
    assert len(problems(base_url="nonsense")) == 1


# --- routes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH"])
def test_these_methods_can_be_configured(method):
    assert config(endpoints=Endpoints(heartbeat=Route(method, "/beat"))).endpoints.heartbeat.method == method


@pytest.mark.parametrize("method", ["DELETE", "post", "", "POST ", None, "GET /x HTTP/1.1\r\n"])
def test_other_methods_are_refused(method):
    assert problems(endpoints=Endpoints(heartbeat=Route(method, "/beat"))) == [
        f"route heartbeat: the method is {method!r}; use one of GET, POST, PUT, PATCH"
    ]


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/b-c_d.e~f", "/a?b=c&d=/e?f", "/a/b;v=1", "/a%20b", "/a@b/(1)"]
)
def test_these_paths_can_be_configured(path):
    assert config(endpoints=Endpoints(heartbeat=Route("POST", path))).endpoints.heartbeat.path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "beat",
        "//evil.example/beat",
        "/a//b",
        "/a/../b",
        "/..",
        "/a/..?b",
        "/a b",
        "/a\r\nX: y",
        "/a#b",
        "/ä",
        None,
        5,
    ],
)
def test_other_paths_are_refused(path):
    assert problems(endpoints=Endpoints(heartbeat=Route("POST", path))) == [
        f"route heartbeat: {path!r} is no path; it must look like /some/path"
    ]


def test_each_route_names_its_own_problems():
    wrong = Endpoints(acd_types=Route("FETCH", "x"), heartbeat=("POST", "/beat"))
    assert problems(endpoints=wrong) == [
        "route acd_types: the method is 'FETCH'; use one of GET, POST, PUT, PATCH",
        "route acd_types: 'x' is no path; it must look like /some/path",
        "route heartbeat must be Route(method, path)",
    ]


# --- texts, choices, numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tenant_name", "access_key_id", "access_key_secret"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "is empty"),
        (None, "must be text, not NoneType"),
        (5, "must be text, not int"),
        (f"{CANARY}\n", "starts or ends with white space, or holds what cannot be printed"),
        (f" {CANARY}", "starts or ends with white space, or holds what cannot be printed"),
        (f"{CANARY}\0{CANARY}", "starts or ends with white space, or holds what cannot be printed"),
        (f"{CANARY}\udcff", "starts or ends with white space, or holds what cannot be printed"),
    ],
)
def test_a_text_that_cannot_be_meant_is_refused_and_not_shown(name, value, told):
    assert problems(**{name: value}) == [f"{name} {told}"]


def test_a_key_may_be_given_as_a_secret():
    assert config(access_key_id=Secret("abc")) == config(access_key_id="abc")
    assert problems(access_key_id=Secret("")) == ["access_key_id is empty"]


def test_a_tenant_may_hold_spaces_and_any_letters():
    assert config(tenant_name="Büro Süd 東").tenant_name == "Büro Süd 東"


@pytest.mark.parametrize("shape", ["nested", "flat"])
def test_both_shapes_of_the_login_can_be_chosen(shape):
    assert config(token_request=shape).token_request == shape


@pytest.mark.parametrize("shape", ["NESTED", "", None, ["flat"]])
def test_another_shape_is_refused(shape):
    assert problems(token_request=shape) == [f"token_request is {shape!r}; it must be nested or flat"]


@pytest.mark.parametrize("value", ["false", None, 2, 1, "", []])
def test_lists_applied_in_order_is_true_or_false(value):
    assert problems(lists_applied_in_order=value) == ["lists_applied_in_order must be True or False"]


def test_a_ca_bundle_must_be_there(tmp_path):
    there = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(there))
    assert config(ca_bundle=str(there)).ca_bundle == str(there)
    assert config(ca_bundle=str(tmp_path)).ca_bundle == str(tmp_path)
    for wrong in (str(tmp_path / "none.pem"), "\0", False, ""):
        assert problems(ca_bundle=wrong) == [f"ca_bundle: there is no file {wrong!r}"]
    long = str(tmp_path / ("x" * 300))
    assert problems(ca_bundle=long) == [f"ca_bundle: {long!r} cannot be read: File name too long"]


def test_a_ca_bundle_that_may_not_be_read_is_a_problem_like_any_other(monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    assert problems(ca_bundle="ca.pem") == ["ca_bundle: 'ca.pem' cannot be read: Permission denied"]


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"]
)
def test_a_ca_bundle_holds_certificates(tmp_path, content):
    wrong = tmp_path / "ca.pem"
    wrong.write_text(content)
    assert problems(ca_bundle=str(wrong)) == [f"ca_bundle: {str(wrong)!r} holds no certificates in PEM form"]


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", f"http://user:{CANARY}@proxy.example:3128"])
def test_a_proxy_is_kept_as_a_secret(proxy):
    made = config(proxy=proxy)
    assert made.proxy == Secret(proxy)
    assert CANARY not in repr(made)


@pytest.mark.parametrize(
    "proxy",
    [
        "",
        "proxy.example:3128",
        f"https://user:{CANARY}@proxy",
        f"socks5://{CANARY}@proxy",
        "http://",
        "http://a b",
        5,
    ],
)
def test_what_is_no_proxy_is_refused_and_not_shown(proxy):
    assert problems(proxy=proxy) == [
        "proxy must look like http://host:port or http://user:password@host:port"
    ]


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e10, "5", None, True])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("timeouts.connect", lambda v: {"timeouts": Timeouts(connect=v)}),
        ("timeouts.read", lambda v: {"timeouts": Timeouts(read=v)}),
        ("timeouts.total", lambda v: {"timeouts": Timeouts(total=v)}),
        ("retry.first_wait", lambda v: {"retry": RetryPolicy(first_wait=v)}),
        ("retry.longest_wait", lambda v: {"retry": RetryPolicy(longest_wait=v)}),
        ("heartbeat_interval", lambda v: {"heartbeat_interval": v}),
    ],
)
def test_a_number_of_seconds_is_above_nothing_and_finite(name, make, value):
    assert problems(**make(value)) == [
        f"{name} is {value!r}; it must be a number of seconds above 0, at most 86400"
    ]


@pytest.mark.parametrize("value", [0, -1, 1.0, "5", None, True])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("retry.attempts", lambda v: {"retry": RetryPolicy(attempts=v)}),
        ("max_batch", lambda v: {"max_batch": v}),
        ("max_batch_bytes", lambda v: {"max_batch_bytes": v}),
    ],
)
def test_a_count_is_whole_and_at_least_one(name, make, value):
    assert problems(**make(value)) == [f"{name} is {value!r}; it must be a whole number of at least 1"]


def test_groups_of_settings_must_be_what_they_are_called():
    assert problems(endpoints={}, timeouts=5, retry=None) == [
        "endpoints must be Endpoints(...), not dict",
        "timeouts must be Timeouts(...), not int",
        "retry must be RetryPolicy(...), not NoneType",
    ]


def test_every_problem_is_told_at_once():
    told = problems(
        base_url="ftp://x",
        auth_url="http://remote.example",
        tenant_name="",
        access_key_id="",
        access_key_secret=f" {CANARY}",
        token_request="other",
        proxy=CANARY,
        endpoints=Endpoints(heartbeat=Route("POST", "beat")),
        timeouts=Timeouts(total=-1),
        max_batch=0,
    )
    assert [problem.split()[0] for problem in told] == [
        "base_url",
        "auth_url",
        "tenant_name",
        "access_key_id",
        "access_key_secret",
        "token_request",
        "proxy",
        "route",
        "timeouts.total",
        "max_batch",
    ]
    assert CANARY not in "".join(told)


# --- secrets -------------------------------------------------------------------------------------------


def test_no_secret_is_in_the_text_of_the_settings_nor_in_a_pickle():
    made = config(proxy=f"http://u:{CANARY}@proxy.example")
    assert CANARY not in f"{made!r}{made}{attrs.asdict(made)}"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(made)


def test_settings_can_be_compared_and_hashed():
    assert config() == config()
    assert hash(config()) == hash(config())
    assert config() != config(tenant_name="Other")


# --- the environment -----------------------------------------------------------------------------------


def test_the_four_needed_variables_are_enough():
    assert WfmConfig.from_env(NEEDED) == config()


def test_without_a_mapping_the_environment_of_the_process_is_read(monkeypatch):
    for name, value in {**NEEDED, "CXONE_MAX_BATCH": "7"}.items():
        monkeypatch.setenv(name, value)
    assert WfmConfig.from_env().max_batch == 7
    monkeypatch.delenv("CXONE_TENANT")
    with pytest.raises(ConfigurationError, match="CXONE_TENANT is not set"):
        WfmConfig.from_env()


def test_all_missing_variables_are_named_at_once():
    with pytest.raises(ConfigurationError) as caught:
        WfmConfig.from_env({"CXONE_TENANT": "", "CXONE_MAX_BATCH": "many", "CXONE_READ_TIMEOUT": "long"})
    assert caught.value.problems == (
        "the environment variable CXONE_BASE_URL is not set",
        "the environment variable CXONE_TENANT is not set",
        "the environment variable CXONE_ACCESS_KEY_ID is not set",
        "the environment variable CXONE_ACCESS_KEY_SECRET is not set",
        "the environment variable CXONE_MAX_BATCH cannot be read as a whole number",
        "the environment variable CXONE_READ_TIMEOUT cannot be read as a number",
    )


EFFECTS = [
    ("CXONE_AUTH_URL", "https://auth.example/", "auth_url", "https://auth.example"),
    ("CXONE_TOKEN_REQUEST", "flat", "token_request", "flat"),
    ("CXONE_CA_BUNDLE", certifi.where(), "ca_bundle", certifi.where()),
    ("CXONE_PROXY", "http://proxy.example:1", "proxy", Secret("http://proxy.example:1")),
    ("CXONE_MAX_BATCH", "7", "max_batch", 7),
    ("CXONE_MAX_BATCH_BYTES", "7000", "max_batch_bytes", 7000),
    ("CXONE_LISTS_APPLIED_IN_ORDER", "TRUE", "lists_applied_in_order", True),
    ("CXONE_LISTS_APPLIED_IN_ORDER", "false", "lists_applied_in_order", False),
    ("CXONE_HEARTBEAT_INTERVAL", "7.5", "heartbeat_interval", 7.5),
    ("CXONE_CONNECT_TIMEOUT", "7.5", "timeouts", Timeouts(connect=7.5)),
    ("CXONE_READ_TIMEOUT", "7.5", "timeouts", Timeouts(read=7.5)),
    ("CXONE_TOTAL_TIMEOUT", "7.5", "timeouts", Timeouts(total=7.5)),
    ("CXONE_ATTEMPTS", "7", "retry", RetryPolicy(attempts=7)),
    *(
        (
            f"CXONE_ROUTE_{operation.name.upper()}",
            "put  /own/path",
            "endpoints",
            attrs.evolve(Endpoints(), **{operation.name: Route("PUT", "/own/path")}),
        )
        for operation in attrs.fields(Endpoints)
    ),
]


@pytest.mark.parametrize(("variable", "text", "setting", "value"), EFFECTS)
def test_each_variable_sets_its_setting_and_no_other(variable, text, setting, value):
    read = WfmConfig.from_env({**NEEDED, variable: text})
    expected = {setting: value}
    assert read == attrs.evolve(config(), **expected)


@pytest.mark.parametrize("variable", [effect[0] for effect in EFFECTS])
def test_an_empty_variable_is_as_good_as_none(variable):
    assert WfmConfig.from_env({**NEEDED, variable: ""}) == config()


def test_every_variable_that_the_docstring_names_is_tested_here_and_the_other_way_round():
    named = {word.strip(",.:()=") for word in WfmConfig.from_env.__doc__.split() if word.startswith("CXONE_")}
    named = {name.split("=")[0] for name in named} - {"CXONE_ROUTE_<OPERATION>"}
    tested = {*NEEDED, *(effect[0] for effect in EFFECTS)}
    routes = {f"CXONE_ROUTE_{operation.name.upper()}" for operation in attrs.fields(Endpoints)}
    assert named | routes == tested


@pytest.mark.parametrize(
    ("variable", "text", "readable"),
    [
        ("CXONE_ATTEMPTS", "3.5", "a whole number"),
        ("CXONE_HEARTBEAT_INTERVAL", CANARY, "a number"),
        ("CXONE_LISTS_APPLIED_IN_ORDER", "yes", "true or false"),
        ("CXONE_ROUTE_HEARTBEAT", "/path/alone", 'a route like "POST /some/path"'),
        ("CXONE_ROUTE_HEARTBEAT", "POST /a b", 'a route like "POST /some/path"'),
    ],
)
def test_a_variable_that_cannot_be_read_is_named_and_its_text_not_shown(variable, text, readable):
    with pytest.raises(ConfigurationError) as caught:
        WfmConfig.from_env({**NEEDED, variable: text})
    assert str(caught.value) == f"the environment variable {variable} cannot be read as {readable}"


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("CXONE_BASE_URL", f"https://u:{CANARY}@host", "base_url must hold neither"),
        ("CXONE_ROUTE_HEARTBEAT", "DELETE /beat", "route heartbeat: the method is 'DELETE'"),
        ("CXONE_READ_TIMEOUT", "nan", "timeouts.read is nan"),
        ("CXONE_TOKEN_REQUEST", "Flat", "token_request is 'Flat'"),
    ],
)
def test_a_variable_that_can_be_read_is_checked_like_an_argument(variable, text, told):
    with pytest.raises(ConfigurationError) as caught:
        WfmConfig.from_env({**NEEDED, variable: text})
    assert str(caught.value).startswith(told)
    assert CANARY not in repr(caught.value)
