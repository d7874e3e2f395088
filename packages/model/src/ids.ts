/** Tenants come with the platform modules; until then every run belongs to this one. */
export const DEFAULT_TENANT = "default";
