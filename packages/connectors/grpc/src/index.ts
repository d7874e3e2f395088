export { grpcConnector, type GrpcConnectorOptions } from "./grpc-connector.ts";
