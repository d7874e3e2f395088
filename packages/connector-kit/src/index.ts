export { type Attempt, type Connector, ConnectorError, type ConnectorFunction, type FailureOutcome } from "./connector.ts";
