import type { Attempt } from "@tutti/connector-kit";
import type { Authenticator } from "./authentication.ts";
import { type Answer, exchange, type ExchangeLimits, type ExchangeRequest, type Fetch } from "./exchange.ts";
import type { Authentication } from "./http-input.ts";

/** A challenge, a nonce that grew old meanwhile, and one more of each on a busy server; then the credentials are wrong. */
const RENEWALS_MAX = 3;

/**
 * Sends a request with the credentials of `authentication` and reads its answer. Refused with 401 it is sent again where other credentials can be
 * had: 401 says that it was not carried out. After redirects only the request that was refused is sent again, since those before it may have
 * acted. Credentials go to the origin of the call only.
 *
 * @throws ConnectorError as `exchange` does; never-began while credentials are fetched.
 */
export async function exchangeAuthenticated(
  request: ExchangeRequest,
  authentication: Authentication | undefined,
  how: {
    readonly send: Fetch;
    readonly authenticator: Authenticator;
    readonly attempt: Attempt;
    readonly limits: ExchangeLimits;
  },
): Promise<Answer> {
  const options = { ...how.limits, signal: how.attempt.signal };
  if (authentication === undefined) return exchange(how.send, request, options);
  const { origin } = request.url;
  const credentials = await how.authenticator.credentials(authentication, origin, how.attempt);
  const authorize: ExchangeRequest["authorize"] = (hop) => (hop.url.origin === origin ? credentials.header(hop) : undefined);
  let next: ExchangeRequest = { ...request, authorize };
  for (let renewals = 0; ; renewals += 1) {
    const answer = await exchange(how.send, next, options);
    if (answer.request.url.origin !== origin) return answer;
    credentials.learn(answer);
    if (answer.status !== 401 || renewals === RENEWALS_MAX || !(await credentials.renew(answer))) return answer;
    next = { ...next, ...answer.request };
  }
}
