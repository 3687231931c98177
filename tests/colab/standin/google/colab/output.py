"""Widgets ask for their manager once."""

from google.colab import asked


def enable_custom_widget_manager() -> None:
    asked.append(("output.enable_custom_widget_manager",))


def no_vertical_scroll() -> None:
    asked.append(("output.no_vertical_scroll",))
