export { sshConnector, type SshConnectorOptions } from "./ssh-connector.ts";
