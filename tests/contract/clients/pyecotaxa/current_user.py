"""Who am I, and does the client accept this server's version of the API?"""

import json
import os
import sys
import warnings

import pyecotaxa.remote

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    remote = pyecotaxa.remote.Remote(
        api_endpoint=os.environ["QUADRAT_CONTRACT_URL"] + "/api/", api_token=os.environ["QUADRAT_CONTRACT_TOKEN"]
    )
versions = [str(warning.message) for warning in caught if warning.category is pyecotaxa.remote.ApiVersionWarning]
try:
    user = remote.current_user()
    refused = None
except Exception as error:  # noqa: BLE001 - whatever the client raises is what its user sees
    user, refused = None, f"{type(error).__name__}: {error}"
json.dump({"user": user, "refused": refused, "version_warnings": versions}, sys.stdout)
