"""What to tell somebody whom a model hub refuses, and whether a token may write.

Nothing here knows the client of the hub: it works on the status, the headers and the documents
that hubs answer with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic import ConfigDict, Field, ValidationError

from everyid.errors import HubError
from everyid.models import Model

__all__ = ["Asked", "check_write", "refused", "unreachable"]

_LOGIN = "hf auth login"
_STATUS_HINTS: dict[int, str] = {
    HTTPStatus.CONFLICT: "somebody else changed the repository meanwhile; run the command again",
    HTTPStatus.PRECONDITION_FAILED: "somebody else changed the repository meanwhile; run the "
    "command again",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the hub takes no file as large as this",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a hub, for messages.

    Args:
        repository: ``OWNER/NAME``.
        endpoint: Address of the hub.
        revision: Branch, tag or commit.
        token: What proves who asks, or None: nobody is logged in. It is never shown.
        writing: Something is to be uploaded.
    """

    repository: str
    endpoint: str
    revision: str = "main"
    token: str | None = field(default=None, repr=False)
    writing: bool = False

    @property
    def page(self) -> str:
        """The page of the repository."""
        return f"{self.endpoint}/{self.repository}"

    @property
    def login(self) -> str:
        """The command that mends a missing or wrong token."""
        kind = "write" if self.writing else "read"
        return (
            f"`{_LOGIN}` with a token that may {kind} ({self.endpoint}/settings/tokens); "
            "HF_TOKEN, where it is set, comes before it"
        )

    def redacted(self, text: str) -> str:
        """A text on one line, without the token and without what signs an address."""
        if self.token:
            text = text.replace(self.token, "***")
        return re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", " ".join(text.split()))


def refused(asked: Asked, status: int, headers: Mapping[str, str]) -> HubError:
    """The error for an answer that is a refusal.

    Args:
        asked: What was asked.
        status: Of the answer, 400 and more.
        headers: Of the answer, their names in any case.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    code = lower.get("x-error-code", "")
    words = asked.redacted(lower.get("x-error-message", "")).rstrip(".")
    said = f" ({words})" if words else ""
    if code == "GatedRepo":
        return HubError(
            f"{asked.repository} is gated: its owner decides who may read it{said}",
            hint=f"ask for access at {asked.page}, then {asked.login}",
        )
    if code == "RevisionNotFound":
        return HubError(
            f"{asked.repository} has no revision {asked.revision!r}",
            hint=f"--revision main, or one of those at {asked.page}/commits/main",
        )
    if code == "EntryNotFound":
        return HubError(
            f"{asked.repository} has no such file at {asked.revision!r}",
            hint=f"--file, one of those at {asked.page}/tree/{asked.revision}",
        )
    if words == "Access to this resource is disabled":
        return HubError(
            f"the hub has disabled {asked.repository}", hint=f"{asked.page} may say why"
        )
    if status == HTTPStatus.UNAUTHORIZED and (asked.token and code != "RepoNotFound"):
        return HubError(f"{asked.endpoint} does not accept the token{said}", hint=asked.login)
    if code == "RepoNotFound" or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
        return _not_found(asked)
    if status == HTTPStatus.FORBIDDEN:
        doing = "write to" if asked.writing else "read"
        return HubError(f"the token may not {doing} {asked.repository}{said}", hint=asked.login)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        after = lower.get("retry-after", "")
        when = f"in {after} s" if after.isdecimal() else "in some minutes"
        return HubError(
            f"{asked.endpoint} wants fewer requests (HTTP 429)",
            hint=f"run the command again {when}; {_LOGIN} allows more than none",
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HubError(
            f"{asked.endpoint} is in trouble (HTTP {status}){said}",
            hint="run the command again later; what came is kept",
        )
    return HubError(
        f"{asked.endpoint} refused (HTTP {status}){said}", hint=_STATUS_HINTS.get(status)
    )


def _not_found(asked: Asked) -> HubError:
    """The error where a hub does not say whether a repository is missing or private."""
    if asked.token:
        return HubError(
            f"{asked.endpoint} has no repository {asked.repository} that the token may see",
            hint=f"check --repo and --account; if it is private: {asked.login}",
        )
    return HubError(
        f"{asked.endpoint} has no public repository {asked.repository}, and nobody is logged in",
        hint=f"check --repo and --account; if it is private: {asked.login}",
    )


def unreachable(asked: Asked, reason: str) -> HubError:
    """The error where no answer came at all.

    Args:
        asked: What was asked.
        reason: What the network says.
    """
    return HubError(
        f"no answer from {asked.endpoint}: {asked.redacted(reason) or 'no reason given'}",
        hint="check the network, the proxy (HTTPS_PROXY) and HF_ENDPOINT, then run the command "
        "again: what came is kept",
    )


class _Answer(Model):
    """A part of what a hub says of a token; hubs say more than is asked here."""

    model_config = ConfigDict(extra="ignore")


class _Entity(_Answer):
    name: str | None = None


class _Scope(_Answer):
    entity: _Entity = _Entity()
    permissions: list[str] = Field(default_factory=list)


class _FineGrained(_Answer):
    scoped: list[_Scope] = Field(default_factory=list)


class _AccessToken(_Answer):
    role: str = ""
    fine_grained: _FineGrained | None = Field(default=None, alias="fineGrained")


class _Authentication(_Answer):
    access_token: _AccessToken | None = Field(default=None, alias="accessToken")


class _Organisation(_Answer):
    name: str
    role: str | None = Field(default=None, alias="roleInOrg")


class _Account(_Answer):
    name: str
    orgs: list[_Organisation] = Field(default_factory=list)
    auth: _Authentication = _Authentication()


def check_write(asked: Asked, answer: object) -> str:
    """The account that a token belongs to, once the token may write to a repository.

    Args:
        asked: The repository is the one to be written to.
        answer: What the hub says the token is (``whoami-v2``).

    Raises:
        HubError: The token may not write there, or the answer is none.
    """
    try:
        account = _Account.model_validate(answer)
    except ValidationError as error:
        raise HubError(
            f"{asked.endpoint}: expected to hear whose token this is, got something else",
            hint="check HF_ENDPOINT",
        ) from error
    owner = asked.repository.partition("/")[0]
    homes = {account.name, *(one.name for one in account.orgs if one.role != "read")}
    if owner not in homes:
        raise HubError(
            f"the token is {account.name}'s, who may not write to what {owner} owns",
            hint=f"--account {account.name}, or log in as {owner}: {asked.login}",
        )
    token = account.auth.access_token
    if token is None:  # of a login in the browser, which does not say what it may
        return account.name
    if token.role == "read":
        raise HubError("the token may only read, and this is to write", hint=asked.login)
    if token.role == "fineGrained" and not _covers(token.fine_grained, asked.repository):
        raise HubError(
            f"the fine-grained token has no write permission for {asked.repository}",
            hint=f"add it at {asked.endpoint}/settings/tokens, or {asked.login}",
        )
    return account.name


def _covers(rights: _FineGrained | None, repository: str) -> bool:
    """Whether a fine-grained token may write to a repository, by its owner or by itself."""
    owner = repository.partition("/")[0]
    return any(
        "repo.write" in scope.permissions and scope.entity.name in (owner, repository)
        for scope in (rights.scoped if rights else [])
    )
