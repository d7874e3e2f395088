export { icingaConnector, type IcingaConnectorOptions } from "./icinga-connector.ts";
