"""An S3 server that checks secrets: moto over HTTP with authentication switched on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import boto3
import httpx
from moto.server import ThreadedMotoServer

_EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


class S3Server(NamedTuple):
    """Where it is, and a key that may do everything in it."""

    endpoint: str
    access_key_id: str
    secret_access_key: str

    def options(self, bucket: str, **more: str) -> dict[str, str]:
        """The options of a place in one of its buckets."""
        return {
            "bucket": bucket,
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            **more,
        }

    def bucket(self, name: str) -> Any:
        """A bucket, made if it is not there, by the real client."""
        made = self.resource("s3").Bucket(name)
        made.create()
        return made

    def with_rights(self, *actions: str) -> S3Server:
        """The same server with the key of a user who may do nothing but these actions."""
        users = self.client("iam")
        name = f"user-{len(users.list_users()['Users'])}"
        users.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        users.put_user_policy(UserName=name, PolicyName="some", PolicyDocument=policy)
        key = users.create_access_key(UserName=name)["AccessKey"]
        return self._replace(access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])

    def resource(self, service: str) -> Any:
        return boto3.resource(service, **self._client())

    def client(self, service: str) -> Any:
        return boto3.client(service, **self._client())

    def _client(self) -> dict[str, str]:
        return {
            "endpoint_url": self.endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
        }


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server of its own that refuses wrong secrets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        open_to_all = S3Server(f"http://{host}:{port}", "test", "test")
        users = open_to_all.client("iam")
        users.create_user(UserName="whodid")
        key = users.create_access_key(UserName="whodid")["AccessKey"]
        users.put_user_policy(UserName="whodid", PolicyName="all", PolicyDocument=_EVERYTHING)
        _free_actions(open_to_all.endpoint, "0")
        yield S3Server(open_to_all.endpoint, key["AccessKeyId"], key["SecretAccessKey"])
    finally:
        # moto's state belongs to the process, and others of its servers in it check nothing.
        _free_actions(f"http://{host}:{port}", "inf")
        httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()
        server.stop()


def _free_actions(endpoint: str, count: str) -> None:
    """How many actions moto lets through before it checks who asks."""
    url = f"{endpoint}/moto-api/reset-auth"
    httpx.post(url, content=count, headers={"content-type": "text/plain"}).raise_for_status()
