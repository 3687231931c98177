"""No secrets are kept here."""


class SecretNotFoundError(Exception):
    def __init__(self, key: str):
        super().__init__(f"Secret {key} does not exist.")


def get(key: str) -> str:
    raise SecretNotFoundError(key)
