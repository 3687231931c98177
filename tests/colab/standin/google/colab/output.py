"""Widgets ask for their manager once."""

from google.colab import asked


def enable_custom_widget_manager() -> None:
    asked.append(("output.enable_custom_widget_manager",))


def no_vertical_scroll() -> None:
    asked.append(("output.no_vertical_scroll",))


class _widgets:  # anywidget asks for the address of the manager, where one is there
    _installed_url = None
