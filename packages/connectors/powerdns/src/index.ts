export { powerdnsConnector } from "./powerdns-connector.ts";
