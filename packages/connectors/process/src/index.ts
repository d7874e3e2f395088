export { processConnector, type ProcessConnectorOptions } from "./process-connector.ts";
export { SCRIPT_LANGUAGES } from "./interpreter.ts";
