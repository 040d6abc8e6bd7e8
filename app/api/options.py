"""What OPTIONS answers. Litestar's own handler names the methods of whatever was registered first at a path."""

from litestar import Litestar
from litestar.routes import HTTPRoute


def name_all_methods(app: Litestar) -> None:
    """Makes OPTIONS name all methods of each path (RFC 9110, section 10.2.1)."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            handler = route.create_options_handler(route.path)
            handler.owner = route.route_handlers[0].owner
            handler.on_registration(app)
            route.route_handler_map["OPTIONS"] = handler, handler.create_kwargs_model(route.path_parameters)
