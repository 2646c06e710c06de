"""What is said where a hub refuses, for answers that the other tests do not meet."""

import pytest

from everyid.hub_errors import Asked, check_write, refused, unreachable
from tests.hub_server import whoami

ASKED = Asked("anna/net", "https://hub", token="hf_secret", writing=True)  # noqa: S106 - it is none


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (403, {"X-Error-Message": "Access to this resource is disabled."}, "has disabled anna/net"),
        (404, {}, "has no repository anna/net that the token may see"),
        (409, {}, "https://hub refused (HTTP 409)"),
        (413, {}, "https://hub refused (HTTP 413)"),
        (418, {"x-error-message": "no tea for hf_secret"}, "refused (HTTP 418) (no tea for ***)"),
        (599, {}, "is in trouble (HTTP 599)"),
    ],
)
def test_other_refusals(status, headers, message):
    assert message in str(refused(ASKED, status, headers))


def test_nothing_that_proves_who_asks_is_said():
    error = unreachable(ASKED, "hf_secret at https://store/x?Signature=abc failed\nagain")
    assert "hf_secret" not in repr(ASKED)
    assert str(error).endswith("no answer from https://hub: *** at https://store/x failed again")


@pytest.mark.parametrize("role", ["write", "admin", None])
def test_a_member_of_an_organisation_may_write(role):
    asked = Asked("studio/net", "https://hub", token="hf_secret")  # noqa: S106
    assert check_write(asked, whoami("anna", "write", orgs=[("studio", role)])) == "anna"


def test_a_login_that_does_not_say_what_it_may_is_tried():
    answer = whoami("anna", "write") | {"auth": {"type": "oauth"}}
    assert check_write(ASKED, answer) == "anna"
