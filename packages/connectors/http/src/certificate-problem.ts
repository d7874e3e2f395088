const WHERE = "to tls.authorities in the data directory's settings.yaml, or name its file in TUTTI_CA_FILE";
const TRUST_MORE = `Add the certificate of its authority ${WHERE}`;

/** OpenSSL's names for a certificate that was not accepted. */
const CERTIFICATE_CODE =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/;

/** What is wrong with the certificate of `target` and the way out; undefined when `error` is about something else. */
export function certificateProblem(error: Error, target: string): string | undefined {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return `The certificate of ${target} has expired: it must be renewed there. (Is this machine's clock right?)`;
    case "CERT_NOT_YET_VALID":
      return `The certificate of ${target} is not valid yet. Is this machine's clock right?`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return `The certificate of ${target} is signed by itself, so nothing shows whose it is. If it is the right one, add it ${WHERE}.`;
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return `The certificate of ${target} comes from an authority that is not trusted here (or the server leaves out a certificate in between). ${TRUST_MORE}.`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `The certificate of ${target} is for another name${namesOf(error)}. Call the server by a name in its certificate.`;
    default:
      return CERTIFICATE_CODE.test(code) ? `The certificate of ${target} is not accepted: ${error.message}.` : undefined;
  }
}

/** Names in a certificate are many on a shared server; the first ones tell enough. */
const NAMES_SHOWN_MAX = 300;

function namesOf(error: Error): string {
  const certificate = "cert" in error ? error.cert : undefined;
  if (typeof certificate !== "object" || certificate === null || !("subjectaltname" in certificate)) return "";
  const { subjectaltname: names } = certificate;
  return typeof names === "string" && names !== "" ? ` (it has ${names.slice(0, NAMES_SHOWN_MAX)})` : "";
}
