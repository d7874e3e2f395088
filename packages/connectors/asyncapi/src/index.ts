export { asyncapiConnector, type AsyncapiConnectorOptions } from "./asyncapi-connector.ts";
