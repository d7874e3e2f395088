/** The version of this build; every package of the repository has the same. */
export const TUTTI_VERSION = "0.1.0";
