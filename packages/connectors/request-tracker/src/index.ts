export { requestTrackerConnector } from "./request-tracker-connector.ts";
