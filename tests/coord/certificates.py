"""A foreign client over mutual TLS: submits, watches and stops a run."""
import sys

import grpc

from annulus_client import Client, refused

address = sys.argv[1]
control, observe = (Client(address, certificates="state", name=name) for name in ("control", "observe"))
assert not control.Submit(run="tls", run_file="x").known
stream = observe.Watch(run="tls", sequence=1)
assert next(stream).records[0].event.kind == "submitted"
control.Control(run="tls", kind="STOP", step=-1)
kinds = []
while "stopped" not in kinds:
    kinds += [record.event.kind for record in next(stream).records]
stream.cancel()
refused("PERMISSION_DENIED", observe.Control, run="tls", kind="RESUME")
assert "cannot" not in refused("PERMISSION_DENIED", observe.RegisterJob, run="tls", key="k", ranks=1)
assert observe.List().runs[0].state == 4

anonymous = Client(address, certificates="state", name=None)
refused("UNAUTHENTICATED", anonymous.List)
refused("UNAUTHENTICATED", Client(address, "0" * 64 + "0", certificates="state", name=None).List)
assert Client(address, "0" * 64, certificates="state", name=None).List().runs  # the token of this test
plain = Client(address, "0" * 64)
refused("UNAVAILABLE", plain.List)
stranger = grpc.ssl_channel_credentials(open("state/ca.crt", "rb").read(), open("other/control.key", "rb").read(),
                                        open("other/control.crt", "rb").read())
client = Client(address)
client.channel = grpc.secure_channel(address, stranger)
refused("UNAVAILABLE", client.List)
print("good")
