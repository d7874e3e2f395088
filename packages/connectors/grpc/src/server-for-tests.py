"""A gRPC server of another make (Debian's python3-grpcio), for tests: server-for-tests.py DESCRIPTOR_SET [KEY CERTIFICATE]

Prints its port, then one line of JSON for each thing that happens to a call. Ends with its standard input.
"""

import json
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory

with open(sys.argv[1], "rb") as file:
    files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
pool = descriptor_pool.DescriptorPool()
for proto in files.file:
    pool.Add(proto)
factory = message_factory.MessageFactory(pool)
service = pool.FindServiceByName("acme.pets.v1.PetService")
status_class = factory.GetPrototype(pool.FindMessageTypeByName("google.rpc.Status"))
error_info = factory.GetPrototype(pool.FindMessageTypeByName("google.rpc.ErrorInfo"))


def say(**what):
    print(json.dumps(what), flush=True)


def class_of(descriptor):
    return factory.GetPrototype(descriptor)


def metadata_of(context):
    return {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}


def echo(request, context):
    metadata = metadata_of(context)
    say(event="call", metadata=metadata, deadline=context.time_remaining())
    if metadata.get("authorization") == "Bearer wrong":
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
    return request


def watch(request, context):
    reply = class_of(service.methods_by_name["Watch"].output_type)
    for number in range(request.count):
        yield reply(number=number)
    if request.fail_at_end:
        context.abort(grpc.StatusCode.DATA_LOSS, "the tape is torn")


def fail(request, context):
    if request.with_details:
        status = status_class(code=request.code, message="no such pet")
        packed = any_pb2.Any()
        packed.Pack(error_info(reason="GONE", domain="pets.example", metadata={"pet": "7"}))
        duration = any_pb2.Any()
        duration.Pack(duration_pb2.Duration(seconds=3))
        unknown = any_pb2.Any(type_url="type.example/acme.Unknown", value=b"\x08\x01")
        for detail in (packed, duration, unknown):
            status.details.add().MergeFromString(detail.SerializeToString())
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    code = next((known for known in grpc.StatusCode if known.value[0] == request.code), grpc.StatusCode.UNKNOWN)
    context.abort(code, "no such pet: Müller.")


def hang(request, context):
    over = threading.Event()
    context.add_callback(over.set)
    say(event="hanging")
    over.wait(60)
    say(event="cancelled")
    return request


def big(request, context):
    return class_of(service.methods_by_name["Big"].output_type)(data=b"x" * request.size)


HANDLERS = {"Echo": echo, "Fail": fail, "Hang": hang, "Big": big}


def handler_of(method):
    coding = {"request_deserializer": class_of(method.input_type).FromString, "response_serializer": lambda reply: reply.SerializeToString()}
    if method.name == "Watch":
        return grpc.unary_stream_rpc_method_handler(watch, **coding)
    return grpc.unary_unary_rpc_method_handler(HANDLERS[method.name], **coding)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=[("grpc.max_send_message_length", -1)])
methods = {method.name: handler_of(method) for method in service.methods if method.name in HANDLERS or method.name == "Watch"}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, methods),))

greeter = pool.FindServiceByName("GreeterApi.Greeter")
say_hello = greeter.methods_by_name["SayHello"]
hello = grpc.unary_unary_rpc_method_handler(
    lambda request, context: class_of(say_hello.output_type)(message=f"Hello {request.name}"),
    request_deserializer=class_of(say_hello.input_type).FromString,
    response_serializer=lambda reply: reply.SerializeToString(),
)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(greeter.full_name, {"SayHello": hello}),))

if len(sys.argv) > 2:
    key, certificate = (open(path, "rb").read() for path in sys.argv[2:4])
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(((key, certificate),)))
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
say(event="listening", port=port)
sys.stdin.read()
server.stop(None)
