"""All pages under one roof: what each is given, and errors for people."""

from litestar import Router
from litestar.di import Provide

from app.api.account import (
    change_password,
    delete_account,
    export,
    part_with_provider,
    rename_device,
    revoke_assistant,
    revoke_device,
    show_account,
)
from app.api.consent import activate, authorize, decide, show_activate
from app.api.limited import spends
from app.api.privacy import show_privacy
from app.api.provider import come_from_provider, go_to_provider, join_provider
from app.api.signing import icon, show_sign_in, show_sign_up, sign_in, sign_out, sign_up, style
from app.api.visits import problem_page, visit_of
from app.errors import StarlingError
from app.limits.budgets import PAGES


def pages() -> Router:
    """What browsers ask for."""
    return Router(
        path="/",
        opt=spends(PAGES),
        route_handlers=[
            show_sign_in,
            sign_in,
            show_sign_up,
            sign_up,
            sign_out,
            go_to_provider,
            come_from_provider,
            join_provider,
            authorize,
            decide,
            show_activate,
            activate,
            show_account,
            rename_device,
            revoke_device,
            revoke_assistant,
            change_password,
            part_with_provider,
            delete_account,
            export,
            show_privacy,
            style,
            icon,
        ],
        dependencies={"visit": Provide(visit_of)},
        exception_handlers={StarlingError: problem_page},
    )
