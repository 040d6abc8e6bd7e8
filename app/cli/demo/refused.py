"""What goes wrong in the demo."""

from app.errors import StarlingError


class Refused(StarlingError):
    """The server did not do what the demo asked."""

    code = "refused"
