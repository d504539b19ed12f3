#!/usr/bin/env bash
# Finds a Chromium for the browser tests, or installs Debian's; they never download a browser.
set -euo pipefail
[ -n "${QUADRAT_TEST_BROWSER:-}" ] && exit 0
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
[ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ] && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq chromium >/dev/null 2>&1 && exit 0
    apt-get update -qq
    apt-get install -y -qq chromium >/dev/null
    exit 0
fi
echo "The browser tests need Chromium: install it (apt-get install chromium), or name one in QUADRAT_TEST_BROWSER." >&2
exit 1
