export { type ContainerConnectorOptions, containerConnector } from "./container-connector.ts";
export { LogStream } from "./log-stream.ts";
