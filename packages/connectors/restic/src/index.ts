export { resticConnector, type ResticConnectorOptions } from "./restic-connector.ts";
