import { z } from "zod";
import { choice, closed, hasKey, open } from "./building-blocks.ts";
import { NotEmptyText, TemplateText, UriTemplate } from "./text.ts";

/** Credentials that are all in one secret. */
const FromSecret = closed({ use: NotEmptyText });

function inlineOrSecret<Inline extends z.ZodType>(inline: Inline) {
  return choice([inline, FromSecret], (value) => (hasKey(value, "use") ? 1 : 0));
}

const Password = inlineOrSecret(closed({ username: z.string(), password: z.string() }));
const Bearer = inlineOrSecret(closed({ token: z.string() }));

const Token = closed({ token: z.string(), type: z.string() });
const oauth2Fields = {
  authority: UriTemplate,
  grant: z.enum([
    "authorization_code",
    "client_credentials",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
  ]),
  client: closed({
    id: z.string().optional(),
    secret: z.string().optional(),
    assertion: z.string().optional(),
    authentication: z.enum(["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]).optional(),
  }).optional(),
  request: open({ encoding: z.enum(["application/x-www-form-urlencoded", "application/json"]).optional() }).optional(),
  issuers: z.array(z.string()).optional(),
  scopes: z.array(z.string()).optional(),
  audiences: z.array(z.string()).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  subject: Token.optional(),
  actor: Token.optional(),
};
const OAuth2 = inlineOrSecret(
  closed({
    ...oauth2Fields,
    endpoints: open({
      token: TemplateText.optional(),
      revocation: TemplateText.optional(),
      introspection: TemplateText.optional(),
    }).optional(),
  }),
);
const OpenIdConnect = inlineOrSecret(closed(oauth2Fields));

export const AUTHENTICATION_SCHEMES = ["basic", "bearer", "digest", "oauth2", "oidc"] as const;
const schemeNames = AUTHENTICATION_SCHEMES.map((scheme) => `\`${scheme}\``).join(", ");

function schemeOf(value: unknown): number | string {
  const present = AUTHENTICATION_SCHEMES.filter((scheme) => hasKey(value, scheme));
  if (present.length > 1) return `takes one scheme only; here are ${present.map((scheme) => `\`${scheme}\``).join(" and ")}`;
  return present[0] === undefined ? `needs one of ${schemeNames}` : AUTHENTICATION_SCHEMES.indexOf(present[0]);
}

/** An entry of `use.authentications`. The schema leaves it open to other keys. */
export const AuthenticationPolicy = choice(
  [
    open({ basic: Password }),
    open({ bearer: Bearer }),
    open({ digest: Password }),
    open({ oauth2: OAuth2 }),
    open({ oidc: OpenIdConnect }),
  ],
  schemeOf,
).meta({ oneOf: AUTHENTICATION_SCHEMES.map((scheme) => ({ required: [scheme] })) });

const Reference = closed({ use: NotEmptyText });

/** Authentication where it is used: one scheme and nothing else, or the name of an entry of `use.authentications`. */
export const Authentication = choice(
  [
    closed({ basic: Password }),
    closed({ bearer: Bearer }),
    closed({ digest: Password }),
    closed({ oauth2: OAuth2 }),
    closed({ oidc: OpenIdConnect }),
    Reference,
  ],
  (value) => {
    if (hasKey(value, "use")) return AUTHENTICATION_SCHEMES.length;
    const scheme = schemeOf(value);
    return typeof scheme === "string" && scheme.startsWith("needs")
      ? `${scheme}, or \`use\` with the name of one in \`use.authentications\``
      : scheme;
  },
);
