export { postgresqlConnector } from "./postgresql-connector.ts";
