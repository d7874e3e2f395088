export { haproxyConnector } from "./haproxy-connector.ts";
