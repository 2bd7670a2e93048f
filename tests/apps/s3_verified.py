"""moto's S3 with accounts of our choice, each request's V4 signature verified: s3_verified.py <port> <key:secret>..."""

import json
import os
import sys

from moto import settings
from moto.iam.models import iam_backends
from moto.server import main

port, *accounts = sys.argv[1:]
ALLOW_S3 = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})

backend = iam_backends["123456789012"]["aws"]
for number, pair in enumerate(accounts):
    access, secret = pair.split(":")  # neither holds a colon: keys are base64 or plain words
    user = f"tester-{number}"
    backend.create_user("us-east-1", user)
    backend.put_user_policy(user, "s3", ALLOW_S3)
    key = backend.create_access_key(user)
    # moto invents both; a test must choose them.
    del backend.access_keys[key.physical_resource_id]
    key.access_key_id, key.secret_access_key = access, secret
    backend.access_keys[access] = key

# From the first request on, signatures and policies are checked.
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
os.environ["MOTO_PORT"] = port
main(["-H", "127.0.0.1", "-p", port])
