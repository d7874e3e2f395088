export { type ContainerConnectorOptions, containerConnector } from "./container-connector.ts";
