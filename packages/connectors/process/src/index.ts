export { processConnector, type ProcessConnectorOptions } from "./process-connector.ts";
export { ProcessStarter, type ProcessStarterOptions } from "./process-starter.ts";
export { SCRIPT_LANGUAGES } from "./interpreter.ts";
