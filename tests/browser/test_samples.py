import re
import struct
import zlib

from playwright.sync_api import expect

from support.browser import assert_accessible
from support.people import unique


def _png(shade: int, size: int = 32) -> bytes:
    """A grey picture, written by hand so that the test needs no image library."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([shade]) * size for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_images_are_uploaded_seen_and_opened(page, site) -> None:
    name = unique("hauls")
    page.goto("/ui/#/datasets")
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill(name)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=name).wait_for()
    expect(page.get_by_text("no samples yet")).to_be_visible()
    files = [
        {"name": f"haul {shade} ä.png", "mimeType": "image/png", "buffer": _png(shade)} for shade in range(0, 240, 20)
    ]
    page.locator("input[type=file]").set_input_files(
        [*files, {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"}]
    )
    expect(page.get_by_text("12 samples")).to_be_visible()
    expect(page.get_by_text("This is not an image.")).to_be_visible()
    pictures = page.get_by_role("option").locator("img")
    expect(pictures).to_have_count(12)
    for number in range(12):
        expect(pictures.nth(number)).to_have_js_property("naturalWidth", 32)
    assert_accessible(page)
    page.get_by_role("option", name="haul 40 ä.png").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img", name="haul 40 ä.png")).to_be_visible()
    expect(page).to_have_url(re.compile("sample="))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    _tag(page, unique("grey"))
    _find(page)


def _find(page) -> None:
    """By a part of the name, and by what is known of the samples, with the address as the place to keep it."""
    tiles = page.get_by_role("listbox", name="Images").get_by_role("option")
    page.get_by_role("searchbox", name="Name").fill("HAUL 2")
    page.keyboard.press("Enter")
    expect(tiles).to_have_count(3)
    expect(page.get_by_text("3 match")).to_be_visible()
    page.reload()
    expect(tiles).to_have_count(3)
    assert_accessible(page)
    page.get_by_role("searchbox", name="Name").fill("no such haul")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Show all samples").click()
    expect(tiles).to_have_count(12)


def _tag(page, tag: str) -> None:
    """Two samples get a tag by keyboard alone; the grid shows them, and all again once the tag is gone."""
    grid = page.get_by_role("listbox", name="Images")
    grid.focus()
    for key in ("ArrowRight", "Space", "ArrowDown", "ArrowLeft", "ArrowLeft", "Space"):
        page.keyboard.press(key)
    expect(grid.get_by_role("option", selected=True)).to_have_count(2)
    assert_accessible(page)
    page.get_by_role("button", name="Tag 2 chosen").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Name of the tag").focus()
    page.keyboard.type(tag)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Tag", exact=True).locator("option:checked")).to_have_text(f"{tag} (2)")
    expect(grid.get_by_role("option")).to_have_count(2)
    expect(page).to_have_url(re.compile("tag="))
    assert_accessible(page)
    page.get_by_role("button", name=f"Remove the tag {tag}").click()
    page.get_by_label("to confirm").fill(tag)
    page.keyboard.press("Enter")
    expect(grid.get_by_role("option")).to_have_count(12)
