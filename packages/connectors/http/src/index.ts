export { DEFAULT_LIMITS, type ExchangeLimits, type Fetch } from "./exchange.ts";
export { httpConnector, type HttpConnectorOptions } from "./http-connector.ts";
