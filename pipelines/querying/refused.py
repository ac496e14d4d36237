"""What a query may not be. Apart from the translator, so that who meets none of it loads no translator."""


class NotASelectError(ValueError):
    """The statement is not one that only reads."""


class UnknownPartError(ValueError):
    """Something stands where the name of a part of a date should."""
