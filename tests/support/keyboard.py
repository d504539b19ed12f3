"""A person without a mouse: everything is reached with the Tab key, and done with keys."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

_MOST_TABS = 150


class Keyboard:
    """The keys of one page.

    Args:
        page: Where they are pressed.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.press = page.keyboard.press
        self.type = page.keyboard.type

    def to(self, wanted: Locator, key: str = "Tab") -> Locator:
        """Go there with the Tab key."""
        wanted.wait_for()
        for _ in range(_MOST_TABS):
            if wanted.evaluate("one => one === document.activeElement"):
                return wanted
            self.press(key)
        raise AssertionError(f"the Tab key does not lead to {wanted}")

    def use(self, wanted: Locator, key: str = "Enter") -> None:
        """Go there and press a key."""
        self.to(wanted)
        expect(wanted).to_be_enabled()
        self.press(key)

    def button(self, name: str | re.Pattern[str], *, within: Locator | Page | None = None) -> None:
        """Press a button."""
        self.use((within or self._page).get_by_role("button", name=name, exact=isinstance(name, str)))

    def write(self, field: Locator, text: str) -> None:
        """In the place of what a field holds."""
        self.to(field)
        self.press("Control+a")
        self.press("Delete")
        self.type(text)

    def label(self, name: str | re.Pattern[str], text: str) -> None:
        """In the place of what the field of this label holds."""
        self.write(self._page.get_by_label(name, exact=isinstance(name, str)), text)

    def pick(self, choice: Locator, words: str) -> None:
        """An option of a list, by the beginning of what it says."""
        self.to(choice)
        self.type(words)
        chosen = choice.locator("option:checked")
        expect(chosen).to_have_text(re.compile("^" + re.escape(words), re.IGNORECASE))

    def file(self, field: Locator, files: Path | dict[str, Any] | list[dict[str, Any]]) -> None:
        """Open the browser's own window for files, and choose there."""
        with self._page.expect_file_chooser() as chooser:
            self.use(field, "Space")
        chooser.value.set_files(files)

    def tab(self, name: str, times: int = 1) -> None:
        """From the tab that is shown to this one, with the arrow."""
        self.to(self._page.get_by_role("tab", selected=True))
        for _ in range(times):
            self.press("ArrowRight")
        expect(self._page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")

    def confirm(self, text: str) -> None:
        """Type what a question wants typed before something is removed."""
        self.label(re.compile("to confirm"), text)
        self.press("Enter")

    def jump(self, words: str, heading: str | re.Pattern[str]) -> None:
        """To a page, by the palette."""
        self.press("Control+k")
        self._page.get_by_role("combobox", name="Jump to").wait_for()
        self.type(words)
        places = self._page.get_by_role("listbox", name="Places").get_by_role("option")
        expect(places.first).to_be_visible()
        self.press("Enter")
        self._page.get_by_role("heading", name=heading, level=1).wait_for()
