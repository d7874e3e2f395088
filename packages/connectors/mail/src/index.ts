export { mailConnector } from "./mail-connector.ts";
