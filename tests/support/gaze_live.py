"""A lab on a live server, over plain HTTP."""

from typing import Any
from uuid import UUID

import httpx2

from support.people import unique


class LiveLab:
    """A person's project with an enrichment on a picture.

    Args:
        http: Of the server.
        token: The person's.
        picture: The reference image.
    """

    def __init__(self, http: httpx2.Client, token: str, picture: bytes) -> None:
        self.http = http
        self.token = token
        self.place = "/v2/workspaces/default"
        self.name = unique("gaze")
        organization = self.ask("GET", "/v2.1/organizations")[0]["name"]
        self.ask("POST", "/v2.1/projects", json={"name": self.name, "organization_name": organization})
        listed = self.ask("GET", f"{self.place}/projects/")["result"]
        self.project = next(one["id"] for one in listed if one["name"] == self.name)
        plane = {"reference_image_id": self.upload(picture), "scanning_recording_id": str(UUID(int=0))}
        self.plane = self.ask("POST", f"{self.place}/markerless/", json=plane)["result"]["id"]
        body = {"name": "E", "from_event_name": "recording.begin", "to_event_name": "recording.end"}
        body |= {"kind": "slam-mapper", "args": {"markerless_id": self.plane}}
        made = self.ask("POST", f"{self.place}/projects/{self.project}/enrichments", json=body)
        self.at = f"{self.place}/projects/{self.project}/enrichments/{made['result']['id']}"

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"api-key": self.token, "Authorization": f"Token {self.token}", **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, timeout=300, **options)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.request(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def announce(self, size: int) -> Any:
        head = {"Tus-Resumable": "1.0.0", "Upload-Length": str(size)}
        return self.ask("POST", f"{self.place}/files/", headers=head)["result"]

    def upload(self, data: bytes) -> str:
        made = self.announce(len(data))
        self.send(made["upload_url"], 0, data)
        return str(made["id"])

    def send(self, url: str, offset: int, data: bytes) -> None:
        head = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        assert self.request("PATCH", url, headers=head, content=data).status_code == 204
