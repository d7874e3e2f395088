export { nftablesConnector } from "./nftables-connector.ts";
