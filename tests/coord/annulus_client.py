"""A foreign client of the coordinator: python3-grpcio and the messages of annulus.proto (messages.ds in the working directory)."""
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_files = descriptor_pb2.FileDescriptorSet()
with open("messages.ds", "rb") as stream:
    _files.ParseFromString(stream.read())
pool = descriptor_pool.DescriptorPool()
for _file in _files.file:
    pool.Add(_file)
_factory = message_factory.MessageFactory(pool)


def message(name):
    """The class of a message."""
    return _factory.GetPrototype(pool.FindMessageTypeByName("annulus.v1." + name))


def enum(name, number):
    return pool.FindEnumTypeByName("annulus.v1." + name).values_by_number[number].name


class Client:
    """Calls methods by name: client.List(), client.Control(run="a", kind="STOP", step=-1)."""

    def __init__(self, address, token=None, certificates=None, name="control", user="tester", options=()):
        if certificates:
            read = lambda file: open(f"{certificates}/{file}", "rb").read()
            pair = (read(name + ".key"), read(name + ".crt")) if name else (None, None)
            self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(read("ca.crt"), *pair), options)
        else:
            self.channel = grpc.insecure_channel(address, options)
        self.metadata = [("annulus-user", user)] + ([("authorization", "Bearer " + token)] if token else [])

    def _method(self, name):
        for service in ("Coordinator", "Operator"):
            method = pool.FindServiceByName("annulus.v1." + service).methods_by_name.get(name)
            if method:
                return (f"/annulus.v1.{service}/{name}", *(_factory.GetPrototype(t) for t in (method.input_type, method.output_type)))
        raise AttributeError(name)

    def __getattr__(self, name):
        path, request, reply = self._method(name)
        # A stream of one request and one reply, as Report may be, is a unary call on the wire.
        stream = self.channel.unary_stream if name == "Watch" else self.channel.unary_unary
        call = stream(path, request_serializer=request.SerializeToString, response_deserializer=reply.FromString)
        return lambda timeout=20, **fields: call(request(**fields), timeout=timeout, metadata=self.metadata)

    def reports(self, requests):
        """The stream of replies to a stream of requests, each a dict of fields, to Report."""
        path, request, reply = self._method("Report")
        call = self.channel.stream_stream(path, request_serializer=request.SerializeToString, response_deserializer=reply.FromString)
        return call((request(**fields) for fields in requests), timeout=20, metadata=self.metadata)


def token(role="control"):
    with open(f"state/token-{role}") as stream:
        return stream.read().strip()


def refused(code, call, **fields):
    """The call is refused with this status code."""
    try:
        reply = call(**fields)
        if hasattr(reply, "__next__"):
            next(reply)
    except grpc.RpcError as error:
        assert error.code() == getattr(grpc.StatusCode, code), (error.code(), error.details(), code)
        return error.details()
    raise AssertionError(f"was accepted, expected is {code}: {fields}")
