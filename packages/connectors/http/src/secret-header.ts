const SECRET_NAMES = new Set(["authorization", "proxy-authorization", "cookie"]);
/** `X-Api-Key`, `X-Auth-Token`, `X-Vault-Token`, `Client-Secret` … */
const SECRET_WORD = /(?:^|[-_])(?:api-?key|auth|token|secret|password|credentials?|signature)(?:$|[-_])/;

/** Whether a request header carries credentials: such values are neither recorded nor sent on to another origin. */
export function isSecretHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return SECRET_NAMES.has(lower) || SECRET_WORD.test(lower);
}
