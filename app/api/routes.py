"""What programs call with an access token: the actions of assistants, and the interface of devices."""

from litestar import Router
from litestar.di import Provide

from app.api.actions import ActionsController
from app.api.answers import AnswersController
from app.api.changes import ChangesController
from app.api.deadline import in_time
from app.api.devices import DevicesController, acknowledge, me
from app.api.files import FilesController, file_item
from app.api.items import ItemsController, item_query
from app.api.push import PushController
from app.api.requests import assistant_of, caller_of, principal_of
from app.api.stream import issue_ticket, open_stream, subscriber

_CALLED = {
    "principal": Provide(principal_of),
    "caller": Provide(caller_of),
    "wanted": Provide(item_query, sync_to_thread=False),
    "about": Provide(file_item, sync_to_thread=False),
    "subscriber": Provide(subscriber),
}


def actions() -> Router:
    """What assistants call."""
    return Router(
        path="/",
        route_handlers=[ActionsController],
        dependencies={**_CALLED, "principal": Provide(assistant_of)},
        middleware=[in_time],
    )


def devices() -> Router:
    """What devices call."""
    return Router(
        path="/",
        route_handlers=[
            ItemsController,
            FilesController,
            ChangesController,
            DevicesController,
            AnswersController,
            PushController,
            acknowledge,
            me,
            open_stream,
            issue_ticket,
        ],
        dependencies=_CALLED,
    )
