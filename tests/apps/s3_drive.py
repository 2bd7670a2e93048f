"""boto3 against an S3 server: s3_drive.py <endpoint> <scenario>. One JSON line per call of the SDK.

Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Retries are off, so a call is one request.
"""

import json
import os
import sys

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, scenario = sys.argv[1:3]
client = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="us-east-1",
    config=Config(
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        read_timeout=30,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    ),
)

http = urllib3.PoolManager(retries=False)


def line(operation, status, error="", uploaded=0, downloaded=0):
    print(json.dumps(dict(operation=operation, status=status, error=error, uploaded=uploaded, downloaded=downloaded)), flush=True)


def call(name, **arguments):
    """Runs one operation and prints what became of it."""
    operation = client.meta.method_to_api_mapping[name]
    body = arguments.get("Body", b"")
    try:
        answer = getattr(client, name)(**arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        line(operation, status, error.response["Error"]["Code"])
        return None
    stream = answer.get("Body")
    down = len(stream.read()) if stream is not None and name == "get_object" else 0
    line(operation, answer["ResponseMetadata"]["HTTPStatusCode"], uploaded=len(body), downloaded=down)
    return answer


def bucket_name():
    return f"bucket-{os.getpid()}"


def basic(bucket):
    call("create_bucket", Bucket=bucket)
    call("put_object", Bucket=bucket, Key="a/small", Body=b"s" * 1000)
    call("put_object", Bucket=bucket, Key="a/large", Body=b"l" * 3_000_000)
    call("get_object", Bucket=bucket, Key="a/large")
    call("get_object", Bucket=bucket, Key="a/large", Range="bytes=100-299")
    call("head_object", Bucket=bucket, Key="a/small")
    call("get_object", Bucket=bucket, Key="missing")
    call("list_objects_v2", Bucket=bucket)
    call("list_buckets")
    call("delete_object", Bucket=bucket, Key="a/small")
    call("delete_object", Bucket=bucket, Key="a/large")


def multipart(bucket):
    answer = call("create_multipart_upload", Bucket=bucket, Key="parts")
    if answer is None:
        return
    upload = dict(Bucket=bucket, Key="parts", UploadId=answer["UploadId"])
    parts = []
    for number, size in [(1, 5 << 20), (2, 1000)]:
        part = call("upload_part", PartNumber=number, Body=b"p" * size, **upload)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    call("complete_multipart_upload", MultipartUpload={"Parts": parts}, **upload)
    aborted = call("create_multipart_upload", Bucket=bucket, Key="aborted")
    call("abort_multipart_upload", Bucket=bucket, Key="aborted", UploadId=aborted["UploadId"])


def parts(bucket):
    call("create_bucket", Bucket=bucket)
    multipart(bucket)


def everything(bucket):
    basic(bucket)
    multipart(bucket)
    call("get_bucket_location", Bucket=bucket)
    call("put_object", Bucket=bucket, Key="from", Body=b"x" * 100)
    call("copy_object", Bucket=bucket, Key="copy", CopySource=f"{bucket}/from")
    tags = {"TagSet": [{"Key": "kind", "Value": "test"}]}
    call("put_object_tagging", Bucket=bucket, Key="from", Tagging=tags)
    call("get_object_tagging", Bucket=bucket, Key="from")
    call("put_bucket_tagging", Bucket=bucket, Tagging=tags)
    call("list_objects", Bucket=bucket)
    call("delete_objects", Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ("from", "copy", "parts")]})
    call("head_bucket", Bucket=bucket)
    call("delete_bucket", Bucket=bucket)


def presigned(bucket):
    call("create_bucket", Bucket=bucket)
    place = {"Bucket": bucket, "Key": "presigned"}
    put = client.generate_presigned_url("put_object", Params=place)
    # Not urllib: it adds a Content-Type, which is part of what Signature V2 signs.
    answer = http.request("PUT", put, body=b"u" * 500)
    line("PutObject", answer.status, uploaded=500)
    answer = http.request("GET", client.generate_presigned_url("get_object", Params=place))
    line("GetObject", answer.status, downloaded=len(answer.data))


def common(_):
    call("create_bucket", Bucket="common")


def put(_):
    call("put_object", Bucket="common", Key="key", Body=b"x" * 700)


SCENARIOS = [basic, parts, everything, presigned, common, put]
{chosen.__name__: chosen for chosen in SCENARIOS}[scenario](bucket_name())
