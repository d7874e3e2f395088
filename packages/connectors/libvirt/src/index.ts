export { libvirtConnector, type LibvirtConnectorOptions } from "./libvirt-connector.ts";
