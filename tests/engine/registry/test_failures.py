"""What a registry's answer means, in Docker's words: its status, its body and its headers, without a network."""

import pytest

from labkit.engine.registry import failures
from tests.engine.registry.answers import answer

DENIED = "denied: requested access to the resource is denied"
OTHER_BODY = b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}'
NO_SCOPE = 'Bearer realm="https://a.example/token",service="a",scope="repository:a:push",error="insufficient_scope"'
NO_TOKEN = 'Bearer realm="https://a.example/token",service="a",scope="repository:a:push",error="invalid_token"'


async def refusal(status, **parts):
    with pytest.raises(failures.RegistryError) as refused:
        await failures.check(answer(status, **parts), (200,))
    return refused.value


@pytest.mark.parametrize("body", [b"", OTHER_BODY])
async def test_a_token_that_does_not_reach_is_a_denial(body):
    """Docker Hub gives a token to anybody, and then says of somebody else's repository that it is not enough."""
    error = await refusal(401, body=body, challenges=[NO_SCOPE])
    assert (error.message, error.code) == (DENIED, "DENIED")


@pytest.mark.parametrize("challenges", [[], [NO_TOKEN]])
async def test_any_other_401_keeps_the_registrys_words(challenges):
    error = await refusal(401, body=OTHER_BODY, challenges=challenges)
    assert (error.message, error.code) == ("unauthorized: authentication required", "UNAUTHORIZED")


async def test_one_of_several_challenges_is_enough():
    assert (await refusal(401, challenges=['Basic realm="a"', NO_SCOPE])).message == DENIED


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "unauthorized: authentication required"),
        (403, DENIED),
        (404, "received unexpected HTTP status: 404 Reason"),
    ],
)
async def test_a_status_without_a_body(status, message):
    assert (await refusal(status)).message == message


@pytest.mark.parametrize(("status", "passes"), [(429, True), (500, True), (503, True), (501, False), (404, False)])
async def test_what_is_worth_another_try(status, passes):
    assert isinstance(await refusal(status), failures.PassingError) == passes


async def test_a_good_answer_is_no_failure():
    await failures.check(answer(200), (200,))
