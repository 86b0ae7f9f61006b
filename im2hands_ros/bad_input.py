"""The error of an input message that cannot be used. No ROS here."""


class BadInput(ValueError):
    """An input that is refused; `reason` is the short name it is counted under."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
