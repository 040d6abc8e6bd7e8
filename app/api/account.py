"""The account's page: devices and connected assistants."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from pydantic import ValidationError

from app.actions import answers
from app.actions.bodies import Rename
from app.api.archive import archive
from app.api.services import Services
from app.api.visits import Visit, with_retry
from app.errors import InvalidField, NotFound, SignInAgain, StarlingError, TooManyRequests, WrongPassword
from app.model import Principal, Scope
from app.store.sessions import Account
from app.web.words import DONE, told

HOME = "/account"
EVENTS_SHOWN = 20
EVENTS_EXPORTED = 10_000


def _principal(account: Account) -> Principal:
    """The person acts on everything of theirs, through no client."""
    return Principal(account.user_id, account.feed_id, "account", None, frozenset(Scope), b"", 0)


async def _home(
    visit: Visit,
    services: Services,
    account: Account,
    *,
    error: StarlingError | None = None,
    about: str = "",
    done: str | None = None,
) -> Response[Any]:
    """`about`: which form the error is about. `done`: what was done just now."""
    listed = await services.devices.list(_principal(account))
    head = await services.reader.head(account.feed_id)
    return visit.page(
        "account",
        status=error.status if error else 200,
        problem=told(error) if error else None,
        open=about,
        done=done,
        devices=listed["devices"],
        head=head.head if head else 0,
        events=await services.people.events.latest(account.feed_id, EVENTS_SHOWN),
        assistants=await services.ledgers.assistants(account.feed_id),
        identities=await services.people.identities.of(account.user_id),
        provider=services.provider,
    )


@get(HOME, operation_id="showAccount")
async def show_account(
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    done: Annotated[str, QueryParameter(description="What was done just now, to be said.")] = "",
) -> Response[Any]:
    """Devices and assistants."""
    if visit.account is None:
        return visit.sign_in_first(HOME)
    return await _home(visit, services, visit.account, done=DONE.get(done))


@get("/account/export", operation_id="exportAccount")
async def export(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """All of the person's data as a zip of JSON and files, sent as it is read."""
    account = visit.account
    if account is None:
        return visit.sign_in_first(HOME)
    about = {
        "user": await services.grants.user(account.user_id),
        **await services.devices.list(_principal(account)),
        "assistants": await services.ledgers.assistants(account.feed_id),
        "identities": await services.people.identities.of(account.user_id),
        "security_events": await services.people.events.latest(account.feed_id, EVENTS_EXPORTED),
    }
    headers = {"content-disposition": 'attachment; filename="starling.zip"', "cache-control": "no-store"}
    everything = archive(answers.json(about), services.people.items(account), services.files, _principal(account))
    return Stream(everything, media_type="application/zip", headers=headers)


@post("/account/devices/{device_id:uuid}/rename", operation_id="renameOwnDevice", status_code=200)
async def rename_device(
    device_id: FromPath[UUID], visit: NamedDependency[Visit], services: NamedDependency[Services]
) -> Response[Any]:
    """Gives a device another name."""
    form = await visit.form()
    if visit.account is None:
        return visit.sign_in_first(HOME)
    try:
        name = Rename(name=form.get("name", "").strip()).name
        await services.devices.rename(_principal(visit.account), device_id, name)
    except (ValidationError, InvalidField):
        unfit = InvalidField("name", "A name has 1 to 100 characters.")
        return await _home(visit, services, visit.account, error=unfit)
    return visit.redirect(f"{HOME}?done=renamed")


@post("/account/devices/{device_id:uuid}/revoke", operation_id="revokeOwnDevice", status_code=200)
async def revoke_device(
    device_id: FromPath[UUID], visit: NamedDependency[Visit], services: NamedDependency[Services]
) -> Response[Any]:
    """Ends a device with its tokens and streams."""
    await visit.form()
    if visit.account is None:
        return visit.sign_in_first(HOME)
    await services.devices.revoke(_principal(visit.account), device_id)
    return visit.redirect(f"{HOME}?done=device")


@post("/account/assistants/{grant_id:uuid}/revoke", operation_id="revokeAssistant", status_code=200)
async def revoke_assistant(
    grant_id: FromPath[UUID], visit: NamedDependency[Visit], services: NamedDependency[Services]
) -> Response[Any]:
    """Takes back what an assistant was given."""
    await visit.form()
    if visit.account is None:
        return visit.sign_in_first(HOME)
    feed_id = visit.account.feed_id
    if not await services.ledgers.run(lambda ledger: ledger.families.revoke_grant(feed_id, grant_id)):
        raise NotFound
    return visit.redirect(f"{HOME}?done=assistant")


@post("/account/password", operation_id="changePassword", status_code=200)
async def change_password(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """Another password; other browsers are signed out."""
    form = await visit.form()
    if visit.account is None:
        return visit.sign_in_first(HOME)
    current, new = form.get("current", ""), form.get("new", "")
    try:
        session = await services.people.change_password(visit.account, current, new, visit.address)
    except (WrongPassword, InvalidField, SignInAgain, TooManyRequests) as error:
        return with_retry(await _home(visit, services, visit.account, error=error, about="password"), error)
    return visit.redirect(f"{HOME}?done=password", session=session)


@post("/account/provider/remove", operation_id="partWithProvider", status_code=200)
async def part_with_provider(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """The password alone lets the person in from now on; other browsers are signed out."""
    form = await visit.form()
    if visit.account is None:
        return visit.sign_in_first(HOME)
    try:
        session = await services.people.part(visit.account, form.get("password", ""), visit.address)
    except (WrongPassword, SignInAgain, TooManyRequests) as error:
        return with_retry(await _home(visit, services, visit.account, error=error, about="provider"), error)
    return visit.redirect(f"{HOME}?done=provider", session=session)


@post("/account/delete", operation_id="deleteAccount", status_code=200)
async def delete_account(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """Deletes everything."""
    form = await visit.form()
    if visit.account is None:
        return visit.sign_in_first(HOME)
    try:
        await services.people.delete(visit.account, form.get("password", ""), visit.address)
    except (WrongPassword, SignInAgain, TooManyRequests) as error:
        return with_retry(await _home(visit, services, visit.account, error=error, about="delete"), error)
    return visit.redirect("/sign-in", session="")
