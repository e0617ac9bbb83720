"""The token requests and their answers.

Source: the vendor's page for the nested request, the refresh request and both answers; the flat
request, which is `AccessKeyTokenRequest` alone, is what public clients of the regional endpoint send.
"""

from typing import ClassVar

from attrs import field, frozen

from .._kinds import AnyJson, Extra, Flag, Name, Note, SecretText, read_only
from ..secrets import to_secret, to_secret_or_none
from ._record import Record


@frozen(kw_only=True)
class AccessKeyTokenRequest(Record):
    """The access key: the body of the flat login, and the inner part of the nested one."""

    access_key_id: SecretText = field(converter=to_secret)
    access_key_secret: SecretText = field(converter=to_secret)


@frozen(kw_only=True)
class TokenRequest(Record):
    """The nested login. The page's schema has `tenantName`, its sample leaves it out; so may you."""

    tenant_name: Name | None = None
    access_key_token_request: AccessKeyTokenRequest


@frozen(kw_only=True)
class RefreshTokenRequest(Record):
    """Asks for a new token. The two switches take the values of the page's sample where they are left out."""

    token: SecretText = field(converter=to_secret)
    """The refresh token of the last answer."""
    update_cookie: Flag = True
    toggle_enabled: Flag = False


@frozen(kw_only=True)
class TokenResponse(Record):
    """The answer to a login, as the page prints it.

    What it leaves out is None. A null is read as left out. `extra` keeps unknown keys and nulls, and
    `to_json` writes them back.
    """

    snake_case: ClassVar[bool] = True
    open_ended: ClassVar[bool] = True

    id_token: SecretText | None = field(default=None, converter=to_secret_or_none)
    token_type: Note | None = None
    expires_in: AnyJson | None = field(default=None, hash=False)
    """Seconds, as a number. Kept as it came: what cannot be used is replaced where the token is stored."""
    refresh_token: SecretText | None = field(default=None, converter=to_secret_or_none)
    access_token: SecretText = field(converter=to_secret)
    extra: Extra = field(factory=dict, converter=read_only, repr=False, hash=False)


@frozen(kw_only=True)
class RefreshTokenResponse(Record):
    """The answer to a refresh, as the page prints it. Left out, null and unknown: as in `TokenResponse`."""

    open_ended: ClassVar[bool] = True

    token: SecretText = field(converter=to_secret)
    token_expiration_time_sec: AnyJson | None = field(default=None, hash=False)
    """Seconds, as a number. Kept as it came, like `TokenResponse.expires_in`."""
    refresh_token: SecretText | None = field(default=None, converter=to_secret_or_none)
    refresh_token_expiration_time_sec: AnyJson | None = field(default=None, hash=False)
    session_id: AnyJson | None = field(default=None, repr=False, hash=False)
    extra: Extra = field(factory=dict, converter=read_only, repr=False, hash=False)
